package replay

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

func attemptOf(t *testing.T, b *Body) io.ReadCloser {
	t.Helper()
	a, ok := b.Attempt()
	if !ok {
		t.Fatal("no attempt")
	}
	return a
}

func TestEveryAttemptBeginsAtTheBeginning(t *testing.T) {
	for name, source := range map[string]func(io.Reader) io.Reader{
		"at once": func(r io.Reader) io.Reader { return r }, "by bytes": iotest.OneByteReader, "end with data": iotest.DataErrReader,
	} {
		t.Run(name, func(t *testing.T) {
			b := New(source(strings.NewReader("hello world")), -1, 100, nil)
			first := attemptOf(t, b)
			if _, err := io.ReadFull(first, make([]byte, 5)); err != nil {
				t.Fatal(err)
			}
			second := attemptOf(t, b)
			if _, err := first.Read(make([]byte, 1)); !errors.Is(err, ErrEnded) {
				t.Errorf("the first attempt reads on: %v", err)
			}
			for range 2 {
				if got, err := io.ReadAll(second); err != nil || string(got) != "hello world" {
					t.Errorf("%q, %v", got, err)
				}
				second = attemptOf(t, b)
			}
		})
	}
}

func TestWhatIsOverTheLimitStreamsOnce(t *testing.T) {
	text := strings.Repeat("0123456789", 100)
	for name, b := range map[string]*Body{
		"limit": New(strings.NewReader(text), int64(len(text)), 64, nil), "budget": New(strings.NewReader(text), -1, 1<<20, NewBudget(64)),
	} {
		t.Run(name, func(t *testing.T) {
			a := attemptOf(t, b)
			got, err := io.ReadAll(iotest.OneByteReader(a))
			if err != nil || string(got) != text {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if _, ok := b.Attempt(); ok || b.Again() {
				t.Error("another attempt, though its beginning is forgotten")
			}
			if b.budget != nil && b.budget.left.Load() != 64 {
				t.Errorf("%d bytes left of the budget", b.budget.left.Load())
			}
		})
	}
}

func TestForgetLetsTheLastAttemptReadOn(t *testing.T) {
	budget := NewBudget(100)
	b := New(strings.NewReader("hello world"), 11, 100, budget)
	if _, err := io.ReadFull(attemptOf(t, b), make([]byte, 8)); err != nil {
		t.Fatal(err)
	}
	last := attemptOf(t, b)
	if _, err := io.ReadFull(last, make([]byte, 2)); err != nil {
		t.Fatal(err)
	}
	b.Forget()
	if got, err := io.ReadAll(last); err != nil || string(got) != "llo world" {
		t.Errorf("%q, %v", got, err)
	}
	if budget.left.Load() != 100 {
		t.Errorf("%d bytes left of the budget", budget.left.Load())
	}
}

func TestABrokenSourceIsBrokenForEveryAttempt(t *testing.T) {
	broken := errors.New("client went")
	b := New(io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)), -1, 100, nil)
	for range 2 {
		if got, err := io.ReadAll(attemptOf(t, b)); !errors.Is(err, broken) || string(got) != "abc" {
			t.Errorf("%q, %v", got, err)
		}
	}
}

func FuzzAttempts(f *testing.F) {
	f.Add([]byte("hello"), 3, 100, 2)
	f.Add([]byte{}, 0, 0, 0)
	f.Fuzz(func(t *testing.T, data []byte, first, limit, step int) {
		b := New(bytes.NewReader(data), -1, limit, NewBudget(50))
		a, _ := b.Attempt()
		n, _ := io.CopyN(io.Discard, a, int64(first))
		if again, ok := b.Attempt(); ok {
			if got, err := io.ReadAll(again); err != nil || !bytes.Equal(got, data) {
				t.Errorf("again: %q, %v", got, err)
			}
		} else if got, err := io.ReadAll(a); err != nil || !bytes.Equal(got, data[n:]) {
			t.Errorf("the one attempt went on with %q, %v", got, err)
		}
	})
}

func TestForgetDoesNotWaitForTheClient(t *testing.T) {
	reader, writer := io.Pipe()
	budget := NewBudget(100)
	b := New(reader, -1, 100, budget)
	a := attemptOf(t, b)
	read := make(chan string)
	go func() {
		for range 2 {
			p := make([]byte, 10)
			n, _ := a.Read(p)
			read <- string(p[:n])
		}
	}()
	_, _ = io.WriteString(writer, "one")
	if got := <-read; got != "one" {
		t.Errorf("%q", got)
	}
	b.Forget() // while the second Read waits
	_, _ = io.WriteString(writer, "two")
	if got := <-read; got != "two" || budget.left.Load() != 100 {
		t.Errorf("%q, %d bytes left of the budget", got, budget.left.Load())
	}
}
