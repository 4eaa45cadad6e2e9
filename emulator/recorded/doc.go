// Package recorded holds answers that were recorded from the real Lambda API, and a test that takes the emulator through the same steps: it counts
// how many of the recorded cases the emulator agrees with in status, fields, types and words.
package recorded
