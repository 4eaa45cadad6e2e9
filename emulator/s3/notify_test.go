package s3

import (
	"fmt"
	"strings"
	"testing"
)

// TestNotificationsOverlap has the examples of S3's guide (notification-how-to-filtering.html), valid and not.
func TestNotificationsOverlap(t *testing.T) {
	const (
		shared    = "Configurations overlap. Configurations on the same bucket cannot share a common event type."
		ambiguous = "Configuration is ambiguously defined. Cannot have overlapping suffixes in two rules if the prefixes are overlapping for the same event type."
	)
	type of struct{ kind, event, prefix, suffix string }
	for name, c := range map[string]struct {
		all  []of
		says string
	}{
		"one":                              {[]of{{"Queue", "ObjectCreated:*", "", ""}}, ""},
		"the same event":                   {[]of{{"Queue", "ObjectCreated:*", "", ""}, {"Topic", "ObjectCreated:*", "", ""}}, shared},
		"an event among others":            {[]of{{"CloudFunction", "ObjectCreated:*", "", ""}, {"Topic", "ObjectCreated:Put", "", ""}}, shared},
		"other events":                     {[]of{{"Queue", "ObjectCreated:Put", "", ""}, {"Queue", "ObjectCreated:Copy", "", ""}, {"Queue", "ObjectRemoved:*", "", ""}}, ""},
		"other prefixes":                   {[]of{{"Queue", "ObjectCreated:*", "images/", ""}, {"CloudFunction", "ObjectCreated:*", "logs/", ""}}, ""},
		"a prefix of the other":            {[]of{{"CloudFunction", "ObjectCreated:*", "images", ""}, {"CloudFunction", "ObjectCreated:*", "images/in", ""}}, ambiguous},
		"a prefix and none":                {[]of{{"CloudFunction", "ObjectCreated:Put", "images/", ""}, {"Queue", "ObjectCreated:*", "", ""}}, ambiguous},
		"a prefix and a suffix":            {[]of{{"Queue", "ObjectCreated:*", "images", ""}, {"Topic", "ObjectCreated:*", "", "jpg"}}, ambiguous},
		"other suffixes":                   {[]of{{"Queue", "ObjectCreated:*", "images/", ".jpg"}, {"Topic", "ObjectCreated:*", "images/", ".png"}}, ""},
		"a suffix of the other":            {[]of{{"Queue", "ObjectCreated:*", "", ".jpg"}, {"Topic", "ObjectCreated:*", "", "jpg"}}, ambiguous},
		"the same filter for other events": {[]of{{"Queue", "ObjectCreated:*", "images/", ""}, {"Topic", "ObjectRemoved:*", "images/", ""}}, ""},
		"the last two":                     {[]of{{"Queue", "ObjectRemoved:*", "", ""}, {"Topic", "ObjectCreated:*", "a", ""}, {"Topic", "ObjectCreated:*", "ab", ""}}, ambiguous},
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			for _, o := range c.all {
				fmt.Fprintf(&b, "<%[1]sConfiguration><%[1]s>arn:aws:x</%[1]s><Event>s3:%[2]s</Event>", o.kind, o.event)
				if o.prefix+o.suffix != "" {
					b.WriteString("<Filter><S3Key>")
					for name, value := range map[string]string{"prefix": o.prefix, "suffix": o.suffix} {
						if value != "" {
							fmt.Fprintf(&b, "<FilterRule><Name>%s</Name><Value>%s</Value></FilterRule>", name, value)
						}
					}
					b.WriteString("</S3Key></Filter>")
				}
				fmt.Fprintf(&b, "</%sConfiguration>", o.kind)
			}
			err := config{query: "notification"}.check([]byte("<NotificationConfiguration>" + b.String() + "</NotificationConfiguration>"))
			if got := fmt.Sprint(err); c.says == "" && err != nil || c.says != "" && got != "InvalidArgument: "+c.says {
				t.Errorf("%v, want %q", err, c.says)
			}
		})
	}
}
