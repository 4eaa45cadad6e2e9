package aws

import (
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// offClock answers as AWS does when its clock is off from ours by that much.
type offClock struct {
	off   time.Duration
	asked atomic.Int32
	code  string
	then  func(http.ResponseWriter, *http.Request)
}

func (o *offClock) answer(w http.ResponseWriter, r *http.Request) {
	o.asked.Add(1)
	now := time.Now().Add(o.off)
	w.Header().Set("Date", now.UTC().Format(http.TimeFormat))
	signed, err := time.Parse("20060102T150405Z", r.Header.Get("X-Amz-Date"))
	if err != nil || now.Sub(signed).Abs() > 5*time.Minute {
		refuse(w, http.StatusForbidden, o.code, "Signature expired: it is now another time")
		return
	}
	o.then(w, r)
}

func TestInvocationsWithAClockThatIsOff(t *testing.T) {
	for name, off := range map[string]time.Duration{"behind": 20 * time.Minute, "ahead": -3 * time.Hour} {
		t.Run(name, func(t *testing.T) {
			cloud := &offClock{off: off, code: "InvalidSignatureException", then: streams(chunk(`{"statusCode":200}`+nul+"hello"), end(`{}`))}
			f := deployedFake(t, cloud.answer)
			for range 3 {
				if _, body, err := f.call(t.Context()); err != nil || body != "hello" {
					t.Errorf("%q, %v", body, err)
				}
			}
			if n := cloud.asked.Load(); n != 4 {
				t.Errorf("asked %d times, want one more than there were invocations", n)
			}
		})
	}
}

// TestARefusalIsNotPutDownToTheClock is about signatures that are wrong for
// another reason: the invocation is not sent again.
func TestARefusalIsNotPutDownToTheClock(t *testing.T) {
	for name, cloud := range map[string]*offClock{
		"the clocks agree": {code: "InvalidSignatureException"},
		"another code":     {off: time.Hour, code: "UnrecognizedClientException"},
	} {
		t.Run(name, func(t *testing.T) {
			refused := cloud.code
			cloud.then = func(w http.ResponseWriter, _ *http.Request) { refuse(w, http.StatusForbidden, refused, "who are you") }
			f := deployedFake(t, cloud.answer)
			if _, body, err := f.call(t.Context()); err == nil {
				t.Errorf("it answers %q", body)
			}
			if n := cloud.asked.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
		})
	}
}
