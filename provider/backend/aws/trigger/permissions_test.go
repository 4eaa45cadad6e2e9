package trigger

import "testing"

func FuzzPolicy(f *testing.F) {
	f.Add(`{"Statement":[{"Sid":"faas-lambda-s3-0123456789abcdef","Condition":{"ArnLike":{"AWS:SourceArn":"arn:aws:s3:::b"}}}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		ours, err := parsePolicy(text)
		if err != nil {
			return
		}
		for sid, s := range ours {
			if kindOf(sid) == "" || s.Sid != sid {
				t.Errorf("%q: %+v", sid, s)
			}
		}
	})
}
