// What the package itself costs: benchmarks over one worker. The comparison of hosts is in
// benches/.

package bridge

import (
	"sync"
	"testing"
)

func BenchmarkEcho(b *testing.B) {
	_, session := opened(b)
	call := python("echo_inline", map[string]any{"value": 7})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Run[int](b.Context(), session, call); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEchoTwoAtOnce(b *testing.B)       { echoes(b, 2) }
func BenchmarkEchoFourAtOnce(b *testing.B)      { echoes(b, 4) }
func BenchmarkEchoEightAtOnce(b *testing.B)     { echoes(b, 8) }
func BenchmarkEchoSixtyFourAtOnce(b *testing.B) { echoes(b, 64) }

func echoes(b *testing.B, atOnce int) {
	_, session := opened(b)
	call := python("echo_inline", map[string]any{"value": 7})
	b.ReportAllocs()
	var group sync.WaitGroup
	turns := make(chan struct{}, atOnce)
	for b.Loop() {
		turns <- struct{}{}
		group.Go(func() {
			if _, err := Run[int](b.Context(), session, call); err != nil {
				b.Error(err)
			}
			<-turns
		})
	}
	group.Wait()
}

// BenchmarkTool is a tool of Go, called by its name: no Python in it.
func BenchmarkTool(b *testing.B) {
	platform, session := opened(b)
	_, err := RegisterTool(platform, Tool{Name: "same"}, unchanged)
	must(b, err)
	call := ToolCall{Name: "same", Arguments: map[string]any{"value": 7}}
	b.ReportAllocs()
	for b.Loop() {
		value, err := session.CallTool(b.Context(), call)
		if err != nil {
			b.Fatal(err)
		}
		value.Close()
	}
}
