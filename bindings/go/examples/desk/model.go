// The desk's language model: rules that stand in for the call to a real provider. A program that has
// one would pass the messages on to it, and its tokens back.

package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	bridge "snakepit.dev/bridge"
)

// request is what a language model is asked, in the words of chat completions (docs/host_lm.md).
type request struct {
	Messages []struct{ Role, Content string }
	Stream   bool
}

// answerAsModel gives the answer word by word where the caller wants it so; what was streamed need
// not be said again: nil stands for it.
func answerAsModel(ctx context.Context, asked request, call *bridge.Invocation) (any, error) {
	words := answer(asked)
	if !asked.Stream {
		return words, nil
	}
	for _, word := range strings.SplitAfter(words, " ") {
		if err := call.Emit(ctx, word); err != nil {
			return nil, err
		}
	}
	return nil, nil
}

// answer tells an agent's step, its answer and a label apart by the fields that are asked for.
func answer(asked request) string {
	if len(asked.Messages) == 0 {
		return ""
	}
	system, last := asked.Messages[0].Content, asked.Messages[len(asked.Messages)-1].Content
	port := firstOf(ferryTo, last)
	switch {
	case strings.Contains(system, "next_tool_name") && strings.Contains(last, "observation_0"):
		return fields("next_thought", "That is all I need.", "next_tool_name", "finish",
			"next_tool_args", "{}")
	case strings.Contains(system, "next_tool_name"):
		return fields("next_thought", "I look up "+port+".", "next_tool_name", "lookup",
			"next_tool_args", fmt.Sprintf(`{"port": %q}`, port))
	case strings.Contains(system, "`answer`"):
		found := "No ferry goes to " + port + "."
		if departs := firstOf(departsAt, last); departs != "" {
			found = fmt.Sprintf("The ferry to %s leaves at %s.", port, departs)
		}
		return fields("reasoning", "I looked it up.", "answer", found)
	}
	return label(asked)
}

// label takes everything for routine until the prompt has an example of something urgent. Then it
// looks for what the examples have in common.
func label(asked request) string {
	isShown := false
	for _, message := range asked.Messages {
		isShown = isShown || message.Role == "assistant" && strings.Contains(message.Content, "urgent")
	}
	loud := strings.Contains(firstOf(messageField, asked.Messages[len(asked.Messages)-1].Content), "!")
	switch {
	case !isShown:
		return fields("reasoning", "Nobody told me what is urgent.", "label", "routine")
	case loud:
		return fields("reasoning", "It ends as urgent ones do.", "label", "urgent")
	}
	return fields("reasoning", "It is calm, so it can wait.", "label", "routine")
}

// fields writes names and contents as DSPy reads them.
func fields(parts ...string) string {
	var text strings.Builder
	for index := 0; index < len(parts); index += 2 {
		fmt.Fprintf(&text, "[[ ## %s ## ]]\n%s\n\n", parts[index], parts[index+1])
	}
	return text.String() + "[[ ## completed ## ]]\n"
}

func firstOf(pattern *regexp.Regexp, text string) string {
	if found := pattern.FindStringSubmatch(text); found != nil {
		return found[1]
	}
	return ""
}

var (
	ferryTo      = regexp.MustCompile(`\[\[ ## question ## \]\]\s*.*ferry to (.+?) leave`)
	departsAt    = regexp.MustCompile(`departs\D+(\d\d:\d\d)`)
	messageField = regexp.MustCompile(`(?s)\[\[ ## message ## \]\]\s*(.*?)(?:\[\[|$)`)
)
