package socket

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"fleece/qmpfake/session"
)

// late is a server whose timers up to an hour are all due.
func late(inputs int) *Server {
	s := &Server{begin: time.Now().Add(-time.Hour), wake: make(chan struct{}, 1), timer: time.NewTimer(time.Hour)}
	for range inputs {
		s.push(nil, session.Input{Kind: session.Terminate})
	}
	return s
}

func TestNext_LetsTimersAndInputsTakeTurnsWhenTheWorldIsLate(t *testing.T) {
	s := late(3)
	var got []string
	now := time.Duration(0)
	for range 7 {
		next := now + time.Second
		in, came := s.Next(now, next, true)
		if came {
			got = append(got, fmt.Sprint("input ", next-in.At))
			if in.At < now {
				t.Errorf("an input at %v, but it is %v already", in.At, now)
			}
			now = in.At
			continue
		}
		got = append(got, "timer")
		now = next
	}
	if want := []string{"input 1ns", "timer", "input 1ns", "timer", "input 1ns", "timer", "timer"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
}

func TestNext_FiresATimerOfNowBeforeAnyInput(t *testing.T) {
	s := late(1)
	if _, came := s.Next(time.Second, time.Second, true); came {
		t.Error("the replay would have fired the timer first")
	}
	if _, came := s.Next(0, time.Second, false); came {
		t.Error("nobody listens")
	}
	if in, came := s.Next(0, -1, true); !came || in.At < time.Hour {
		t.Errorf("an input without a timer comes now: %v %v", in, came)
	}
}

func TestNext_GivesTheEndBehindEveryOtherInput(t *testing.T) {
	s := late(2)
	s.Quit()
	for i, want := range []session.Kind{session.Terminate, session.Terminate, session.End, session.End} {
		if in, came := s.Next(0, -1, true); !came || in.Kind != want {
			t.Errorf("input %d: %v", i, in.Kind)
		}
	}
}
