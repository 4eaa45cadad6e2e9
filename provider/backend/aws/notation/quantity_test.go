package notation

import (
	"math/big"
	"testing"
)

func TestMegabytes(t *testing.T) {
	for s, want := range map[string]int{
		"128Mi": 128, "1Gi": 1024, "256M": 245, "0.25Gi": 256, "134217728": 128, "134217729": 129, "10Gi": 10240,
		"300000Ki": 293, "1e9": 954, "1E9": 954, "1G": 954, "129.5Mi": 130, "256000000000m": 245, ".5Gi": 512, "+512Mi": 512, "512.Mi": 512,
		"64Mi": 128, "1": 128, "1n": 128, // less than Lambda's least
	} {
		if got, err := Megabytes(s); err != nil || got != want {
			t.Errorf("%s = %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "Mi", "128MB", "128mi", "1 Gi", "0", "0Mi", "-128Mi", "11Gi", "1e99", "1Ei", "1e999", "0x80", "1.2.3", "NaN", "1_000", "1Mi\n"} {
		if got, err := Megabytes(s); err == nil {
			t.Errorf("%q = %d, want an error", s, got)
		}
	}
}

func FuzzQuantity(f *testing.F) {
	for _, s := range []string{"128Mi", "0.5", "1e9", "100m", "1E", "1Ei"} {
		f.Add(s)
	}
	limit := power(10, 130)
	f.Fuzz(func(t *testing.T, s string) {
		value, err := Quantity(s)
		if err == nil && new(big.Rat).Abs(value).Cmp(limit) > 0 {
			t.Errorf("%q is %s", s, value)
		}
		if mb, err := Megabytes(s); err == nil && (mb < minMemory || mb > maxMemory) {
			t.Errorf("%q is %d MB", s, mb)
		}
	})
}
