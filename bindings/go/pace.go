// How many goroutines wait for calls of tools: two, so that one waits while the other runs a call;
// or one, while calls are short and come one by one. Knows neither goroutines nor calls.
//
// Two that take turns cost more than one: Go lends each a processor while it is in C, and its
// monitor thread is busy taking that back. But while the only one runs a call nobody waits for the
// next. That the call is short is known of the calls before it, not of this one; so a clock looks,
// and where it finds the same call twice, another goroutine waits.

package bridge

import "time"

// pace is of one platform. Its owner's mutex guards it.
type pace struct {
	// begun counts calls.
	begun uint64
	// trust grows with each call that was short and alone, and shrinks with each that was not.
	trust int
	// clock calls look until calls cease. seen is what begun was at the last look, and quiet how
	// many looks found no new call.
	clock     *time.Timer
	isRunning bool
	seen      uint64
	quiet     int
}

// wanted is how many should wait.
func (p *pace) wanted() int {
	if p.isLone() {
		return 1
	}
	return waitingMax
}

// isLone: calls are such that nobody has to wait for the next while one runs.
func (p *pace) isLone() bool { return p.trust >= trustMin }

// begin notes that so many calls begin, and gives the last one's number.
func (p *pace) begin(count int) uint64 {
	p.begun += uint64(count)
	if count > 1 {
		p.trust = 0
	}
	return p.begun
}

// end notes that a call has ended.
func (p *pace) end(number uint64, took time.Duration) {
	switch {
	case number != p.begun:
		p.trust = 0
	case took > shortMax:
		p.trust = max(p.trust-trustCost, 0)
	case p.trust < trustMax:
		p.trust++
	}
}

// watch lets look be called now and then.
func (p *pace) watch(look func()) {
	if p.isRunning {
		return
	}
	p.isRunning, p.quiet = true, 0
	if p.clock == nil {
		p.clock = time.AfterFunc(lookEvery, look)
	} else {
		p.clock.Reset(lookEvery)
	}
}

// look is the clock's: whether another has to wait, since nobody does and the call that ran at the
// last look runs still.
func (p *pace) look(nobodyWaits, isOver bool) (more bool) {
	isSame := p.begun == p.seen
	p.seen = p.begun
	more = nobodyWaits && isSame && !isOver
	switch {
	case more:
		p.trust = min(p.trust, trustMin-1)
	case isSame:
		p.quiet++
	default:
		p.quiet = 0
	}
	p.isRunning = !isOver && (nobodyWaits && !more || p.isLone() && p.quiet < quietMax)
	if p.isRunning {
		p.clock.Reset(lookEvery)
	}
	return more
}

const (
	// waitingMax is enough for one to wait while another runs a call.
	waitingMax = 2
	// So many calls, each short and alone, are a reason to expect more of them. One that was not
	// short costs less than there may be on top, since it may be that the system has interrupted it.
	trustMin  = 16
	trustMax  = 2 * trustMin
	trustCost = trustMin / 2
	// shortMax is not much more than what it costs to wake another thread for the next call.
	shortMax = 100 * time.Microsecond
	// lookEvery: a call that is not short after all holds up the next one for twice that at most.
	lookEvery = 2 * time.Millisecond
	// quietMax looks without a call end the looking.
	quietMax = 20
)
