package notation

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"regexp"
	"strconv"
)

// quantity is Kubernetes' grammar of resource quantities
// (k8s.io/apimachinery, api/resource): a decimal number and a suffix. Digits
// are bounded, so that no number is expensive.
var quantity = regexp.MustCompile(`^([+-]?(?:[0-9]{1,24}(?:\.[0-9]{0,24})?|\.[0-9]{1,24}))(?:([KMGTPE]i)|([numkMGTPE])|[eE]([+-]?[0-9]{1,2}))?$`)

var errQuantity = errors.New("not a quantity such as 128Mi, 1Gi, 256M or 0.5")

// decimal holds the power of ten of each SI suffix, binary that of 1024.
var (
	decimal = map[string]int{"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
	binary  = map[string]int{"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
)

// Quantity returns the exact value of s.
func Quantity(s string) (*big.Rat, error) {
	m := quantity.FindStringSubmatch(s)
	if m == nil {
		return nil, fmt.Errorf("%q is %w", s, errQuantity)
	}
	value, ok := new(big.Rat).SetString(m[1])
	if !ok {
		return nil, fmt.Errorf("%q is %w", s, errQuantity)
	}
	exponent := decimal[m[3]]
	if m[4] != "" {
		// Two digits at most, by the expression above.
		exponent, _ = strconv.Atoi(m[4])
	}
	if n := binary[m[2]]; n > 0 {
		return value.Mul(value, power(1024, n)), nil
	}
	if exponent < 0 {
		return value.Quo(value, power(10, -exponent)), nil
	}
	return value.Mul(value, power(10, exponent)), nil
}

func power(base, n int) *big.Rat {
	return new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(int64(base)), big.NewInt(int64(n)), nil))
}

// Lambda's memory sizes, in its MB of 1,048,576 bytes.
const (
	minMemory = 128
	maxMemory = 10240
)

// Megabytes returns s bytes as a memory size of Lambda. Less than Lambda's least
// is its least: such a limit is common in OpenFaaS, and more memory than asked
// for harms nobody.
func Megabytes(s string) (int, error) {
	mb, err := WholeMegabytes(s)
	if err != nil {
		return 0, err
	}
	if mb > maxMemory {
		return 0, fmt.Errorf("%q is more than the %d MB that Lambda offers", s, maxMemory)
	}
	return max(mb, minMemory), nil
}

// WholeMegabytes returns s bytes as Lambda's MB, rounded up; what is absurdly
// much is some large number.
func WholeMegabytes(s string) (int, error) {
	value, err := Quantity(s)
	if err != nil {
		return 0, err
	}
	if value.Sign() <= 0 {
		return 0, fmt.Errorf("%q is not more than zero", s)
	}
	return ceiling(value.Quo(value, power(1024, 2))), nil
}

// memoryPerCPU is the MB of memory at which a function has one vCPU; more memory
// means more of them, in proportion (docs.aws.amazon.com/lambda, "Configure
// Lambda function memory": 1,769 MB is the equivalent of one vCPU). At the most
// memory it is six.
const (
	memoryPerCPU = 1769
	maxCPU       = 6
)

// CPUMegabytes returns the memory at which Lambda gives a function s processors.
func CPUMegabytes(s string) (int, error) {
	value, err := Quantity(s)
	if err != nil {
		return 0, err
	}
	if value.Sign() <= 0 {
		return 0, fmt.Errorf("%q is not more than zero", s)
	}
	if value.Cmp(new(big.Rat).SetInt64(maxCPU)) > 0 {
		return 0, fmt.Errorf("%q is more than the %d vCPUs that Lambda offers", s, maxCPU)
	}
	mb := ceiling(value.Mul(value, new(big.Rat).SetInt64(memoryPerCPU)))
	return min(max(mb, minMemory), maxMemory), nil
}

// ceiling rounds a positive number up.
func ceiling(value *big.Rat) int {
	n := new(big.Int).Div(value.Num(), value.Denom())
	if !value.IsInt() {
		n.Add(n, big.NewInt(1))
	}
	if !n.IsInt64() {
		return math.MaxInt
	}
	return int(n.Int64())
}
