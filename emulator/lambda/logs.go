package lambda

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/faas-lambda/faas-lambda/emulator/sandbox"
)

// maxTail is how much of the end of an invocation's log X-Amz-Log-Result carries.
const maxTail = 4 << 10

// output writes lines of all functions to Options.LogOutput.
type output struct {
	mu sync.Mutex // one line at a time
	w  io.Writer  // nil discards
}

func (o *output) line(name string, line []byte) {
	if o.w == nil {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = o.w.Write(fmt.Appendf(nil, "%s: %s\n", name, line)) // nobody to tell
}

// invocationLog is the log of one invocation: handed on as it comes, with its end kept.
type invocationLog struct {
	journal *journal

	mu   sync.Mutex // guards kept
	kept bytes.Buffer
}

func (l *invocationLog) line(line []byte) {
	l.journal.line(line)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.kept.Write(line)
	l.kept.WriteByte('\n')
	if l.kept.Len() > 16*maxTail {
		l.kept.Next(l.kept.Len() - maxTail)
	}
}

func (l *invocationLog) printf(format string, args ...any) { l.line(fmt.Appendf(nil, format, args...)) }

// extensions tells what has become of the external extensions at init.
func (l *invocationLog) extensions(box *sandbox.Sandbox) {
	for _, e := range box.Extensions() {
		line := fmt.Sprintf("EXTENSION\tName: %s\tState: %s\tEvents: [%s]", e.Name, e.State, strings.Join(e.Events, ","))
		if e.ErrorType != "" {
			line += "\tError Type: " + e.ErrorType
		}
		l.printf("%s", line)
	}
}

func (l *invocationLog) tail() []byte {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := l.kept.Bytes()
	return bytes.Clone(all[max(0, len(all)-maxTail):])
}

// report is what Lambda tells at the end of an invocation.
type report struct {
	requestID string
	duration  time.Duration
	init      time.Duration // 0 for a warm start
	memoryMB  int
	maxMemory int64  // bytes
	status    string // "timeout", "error" or empty
	errorType string
}

// String words the REPORT line as Lambda does, tabs included. Billed is the time rounded up to a millisecond, initialization included, as for
// custom runtimes always and for all since August 2025 (AWS: Lambda pricing).
func (r report) String() string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "REPORT RequestId: %s\tDuration: %.2f ms\tBilled Duration: %d ms\tMemory Size: %d MB\tMax Memory Used: %d MB\t",
		r.requestID, milliseconds(r.duration), billed(r.duration+r.init), r.memoryMB, min((r.maxMemory+1<<20-1)>>20, int64(r.memoryMB)))
	if r.init > 0 {
		fmt.Fprintf(&b, "Init Duration: %.2f ms\t", milliseconds(r.init))
	}
	if r.status != "" {
		fmt.Fprintf(&b, "Status: %s\t", r.status)
	}
	if r.errorType != "" {
		fmt.Fprintf(&b, "Error Type: %s\t", r.errorType)
	}
	return b.String()
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func billed(d time.Duration) int64 {
	return max(1, int64((d+time.Millisecond-1)/time.Millisecond))
}
