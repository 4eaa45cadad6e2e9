package sandbox

import "testing"

// BenchmarkWarm is one invocation through the Runtime API, without HTTP to a caller.
func BenchmarkWarm(b *testing.B) {
	s := bootSandbox(b, openHost(b), Spec{})
	for b.Loop() {
		if _, err := invoke(b, s, `{}`); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCold makes a sandbox, starts bootstrap and waits for its first /next, then removes it all.
func BenchmarkCold(b *testing.B) {
	h := openHost(b)
	for b.Loop() {
		s, err := h.Start(b.Context(), Spec{Task: taskDir, Function: Function{MemoryMB: 256}})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := s.Boot(b.Context()); err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		if err := s.Close(); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
	}
}

// BenchmarkThaw is a warm invocation of a sandbox that is frozen each time.
func BenchmarkThaw(b *testing.B) {
	s := bootSandbox(b, openHost(b), Spec{})
	for b.Loop() {
		s.freezeNow()
		if _, err := invoke(b, s, `{}`); err != nil {
			b.Fatal(err)
		}
	}
}
