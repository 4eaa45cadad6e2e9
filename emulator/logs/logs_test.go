package logs

import (
	"errors"
	"fmt"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs"
	logstypes "github.com/aws/aws-sdk-go-v2/service/cloudwatchlogs/types"
	"github.com/aws/smithy-go"
)

var begin = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func serve(t *testing.T, now func() time.Time) (*Store, *cloudwatchlogs.Client) {
	t.Helper()
	store := New(Options{Account: "123456789012", Region: "eu-central-1", Now: now})
	s := httptest.NewServer(store.API())
	t.Cleanup(s.Close)
	return store, cloudwatchlogs.New(cloudwatchlogs.Options{BaseEndpoint: &s.URL, Region: "eu-central-1", Credentials: credentials.NewStaticCredentialsProvider("id", "secret", "")})
}

// filter returns the messages that a request gets, over all its pages.
func filter(t *testing.T, c *cloudwatchlogs.Client, in cloudwatchlogs.FilterLogEventsInput) []string {
	t.Helper()
	in.LogGroupName = aws.String("g")
	var list []string
	pages := cloudwatchlogs.NewFilterLogEventsPaginator(c, &in)
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if in.Limit != nil && len(page.Events) > int(*in.Limit) {
			t.Errorf("a page of %d", len(page.Events))
		}
		for _, e := range page.Events {
			list = append(list, *e.Message)
		}
	}
	return list
}

func TestFilteredEvents(t *testing.T) {
	store, c := serve(t, nil)
	for i, line := range []string{"START one", "hello world\n", "error: disk", "hello error", "END one"} {
		store.Put("g", []string{"2026/[1]a", "2026/[2]b"}[i%2], begin.Add(time.Duration(i)*time.Second), []byte(line))
	}
	store.Put("g", "2026/[1]a", begin.Add(1500*time.Millisecond), []byte("late")) // of a time that has passed
	ms := func(after time.Duration) *int64 { return aws.Int64(begin.Add(after).UnixMilli()) }
	for name, c2 := range map[string]struct {
		in   cloudwatchlogs.FilterLogEventsInput
		want string
	}{
		"all":             {cloudwatchlogs.FilterLogEventsInput{}, "START one|hello world|late|error: disk|hello error|END one"},
		"pages of two":    {cloudwatchlogs.FilterLogEventsInput{Limit: aws.Int32(2)}, "START one|hello world|late|error: disk|hello error|END one"},
		"from and to":     {cloudwatchlogs.FilterLogEventsInput{StartTime: ms(time.Second), EndTime: ms(2 * time.Second)}, "hello world|late|error: disk"},
		"a stream":        {cloudwatchlogs.FilterLogEventsInput{LogStreamNames: []string{"2026/[2]b"}}, "hello world|hello error"},
		"a prefix":        {cloudwatchlogs.FilterLogEventsInput{LogStreamNamePrefix: aws.String("2026/[1]")}, "START one|late|error: disk|END one"},
		"a term":          {cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String("error")}, "error: disk|hello error"},
		"two terms":       {cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String("error hello")}, "hello error"},
		"not a term":      {cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String("hello -error")}, "hello world"},
		"either":          {cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String("?START ?END")}, "START one|END one"},
		"a quoted phrase": {cloudwatchlogs.FilterLogEventsInput{FilterPattern: aws.String(`"error: d"`)}, "error: disk"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := strings.Join(filter(t, c, c2.in), "|"); got != c2.want {
				t.Errorf("got %s\nwant %s", got, c2.want)
			}
		})
	}
}

func TestAGroupKeepsItsNewestEvents(t *testing.T) {
	store, c := serve(t, nil)
	line := []byte(strings.Repeat("x", 1<<20))
	for i := range 40 {
		store.Put("g", "s", begin.Add(time.Duration(i)*time.Second), append(fmt.Appendf(nil, "%d ", i), line...))
	}
	got := filter(t, c, cloudwatchlogs.FilterLogEventsInput{})
	if len(got) > maxKept>>20 || len(got) < maxKept>>21 || !strings.HasPrefix(got[len(got)-1], "39 ") {
		t.Errorf("%d events are kept, the last one %.5s", len(got), got[len(got)-1])
	}
}

func TestRetention(t *testing.T) {
	var days atomic.Int64 // read by the server while the test is already further on
	now := func() time.Time { return begin.AddDate(0, 0, int(days.Load())) }
	store, c := serve(t, now)
	store.Put("g", "s", now(), []byte("old"))
	if _, err := c.PutRetentionPolicy(t.Context(), &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: aws.String("g"), RetentionInDays: aws.Int32(3)}); err != nil {
		t.Fatal(err)
	}
	days.Store(4)
	store.Put("g", "s", now(), []byte("new"))
	if got := filter(t, c, cloudwatchlogs.FilterLogEventsInput{}); !slices.Equal(got, []string{"new"}) {
		t.Errorf("kept %q", got)
	}
	out, err := c.DescribeLogGroups(t.Context(), &cloudwatchlogs.DescribeLogGroupsInput{LogGroupNamePrefix: aws.String("g")})
	if err != nil || len(out.LogGroups) != 1 || aws.ToInt32(out.LogGroups[0].RetentionInDays) != 3 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestStreams(t *testing.T) {
	_, c := serve(t, nil)
	group, name := aws.String("g"), aws.String("s")
	if _, err := c.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group, Tags: map[string]string{"a": "b"}}); err != nil {
		t.Fatal(err)
	}
	for i := range 60 {
		if _, err := c.CreateLogStream(t.Context(), &cloudwatchlogs.CreateLogStreamInput{LogGroupName: group, LogStreamName: aws.String(fmt.Sprintf("s%02d", i))}); err != nil {
			t.Fatal(err)
		}
	}
	var names []string
	pages := cloudwatchlogs.NewDescribeLogStreamsPaginator(c, &cloudwatchlogs.DescribeLogStreamsInput{LogGroupName: group})
	for pages.HasMorePages() {
		page, err := pages.NextPage(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range page.LogStreams {
			names = append(names, *s.LogStreamName)
		}
	}
	if len(names) != 60 || !slices.IsSorted(names) {
		t.Errorf("%d streams: %q", len(names), names)
	}
	in := &cloudwatchlogs.PutLogEventsInput{LogGroupName: group, LogStreamName: aws.String("s00")}
	for i := range 5 {
		in.LogEvents = append(in.LogEvents, logstypes.InputLogEvent{Message: aws.String(fmt.Sprint(i)), Timestamp: aws.Int64(begin.UnixMilli() + int64(i))})
	}
	if _, err := c.PutLogEvents(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	var read []string
	for token := (*string)(nil); ; {
		out, err := c.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: aws.String("s00"), StartFromHead: aws.Bool(true), Limit: aws.Int32(2), NextToken: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range out.Events {
			read = append(read, *e.Message)
		}
		if token != nil && *out.NextForwardToken == *token {
			break
		}
		token = out.NextForwardToken
	}
	if !slices.Equal(read, []string{"0", "1", "2", "3", "4"}) {
		t.Errorf("read %q", read)
	}
	for want, call := range map[string]func() error{
		"ResourceAlreadyExistsException": func() error {
			_, err := c.CreateLogGroup(t.Context(), &cloudwatchlogs.CreateLogGroupInput{LogGroupName: group})
			return err
		},
		"ResourceNotFoundException": func() error {
			_, err := c.GetLogEvents(t.Context(), &cloudwatchlogs.GetLogEventsInput{LogGroupName: group, LogStreamName: name})
			return err
		},
		"InvalidParameterException": func() error {
			_, err := c.PutRetentionPolicy(t.Context(), &cloudwatchlogs.PutRetentionPolicyInput{LogGroupName: group, RetentionInDays: aws.Int32(2)})
			return err
		},
	} {
		var refused smithy.APIError
		if err := call(); !errors.As(err, &refused) || refused.ErrorCode() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	if _, err := c.DeleteLogGroup(t.Context(), &cloudwatchlogs.DeleteLogGroupInput{LogGroupName: group}); err != nil {
		t.Error(err)
	}
}

func FuzzPattern(f *testing.F) {
	f.Add(`error -"a b" ?x`, "error x")
	f.Add(`"`, "")
	f.Fuzz(func(t *testing.T, text, message string) {
		matches, err := pattern(text)
		if err == nil {
			matches(message)
		}
	})
}
