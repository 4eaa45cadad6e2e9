package backend

import "context"

type platformLines struct{}

// WithPlatformLines returns a context for Logger.Query by which the lines that a
// platform writes about a function are wanted beside those that the function
// printed.
func WithPlatformLines(ctx context.Context) context.Context {
	return context.WithValue(ctx, platformLines{}, true)
}

// PlatformLines tells whether they are wanted.
func PlatformLines(ctx context.Context) bool {
	wanted, _ := ctx.Value(platformLines{}).(bool)
	return wanted
}
