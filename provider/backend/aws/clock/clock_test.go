package clock

import (
	"testing"
	"time"
)

func TestARefusalIsPutDownToTheClockWhereItIsOff(t *testing.T) {
	for _, c := range []struct {
		name, code string
		off        time.Duration // AWS's, of ours
		want       bool
	}{
		{"ours is behind", "InvalidSignatureException", 20 * time.Minute, true},
		{"ours is ahead", "RequestTimeTooSkewed", -3 * time.Hour, true},
		{"they agree", "InvalidSignatureException", 0, false},
		{"they agree enough", "SignatureDoesNotMatch", 3 * time.Minute, false},
		{"another code", "UnrecognizedClientException", time.Hour, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var clock Clock
			if got := clock.Corrected(c.code, time.Now().Add(c.off)); got != c.want {
				t.Errorf("corrected: %t", got)
			}
			off := time.Until(clock.Now())
			if c.want && (off-c.off).Abs() > time.Minute || !c.want && off > time.Minute {
				t.Errorf("it is %s ahead of ours", off)
			}
			if clock.Corrected(c.code, time.Now().Add(c.off)) {
				t.Error("a second refusal is put down to a clock that is right")
			}
		})
	}
	var clock Clock
	if clock.Corrected("RequestExpired", time.Time{}) {
		t.Error("a refusal that tells no time is put down to the clock")
	}
}
