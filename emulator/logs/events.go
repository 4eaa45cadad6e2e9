package logs

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// maxEvents is how many events a request gets at most, and without a limit of
// its own (CloudWatch Logs API Reference, FilterLogEvents).
const maxEvents = 10_000

type filterLogEvents struct {
	LogGroupName        string   `json:"logGroupName"`
	LogGroupIdentifier  string   `json:"logGroupIdentifier"`
	LogStreamNames      []string `json:"logStreamNames"`
	LogStreamNamePrefix string   `json:"logStreamNamePrefix"`
	StartTime           *int64   `json:"startTime"`
	EndTime             *int64   `json:"endTime"`
	FilterPattern       string   `json:"filterPattern"`
	Limit               int      `json:"limit"`
	NextToken           string   `json:"nextToken"`
}

type filteredEvent struct {
	EventId       string `json:"eventId"` //nolint:revive // AWS's name of it
	IngestionTime int64  `json:"ingestionTime"`
	LogStreamName string `json:"logStreamName"`
	Message       string `json:"message"`
	Timestamp     int64  `json:"timestamp"`
}

type filtered struct {
	Events             []filteredEvent `json:"events"`
	NextToken          string          `json:"nextToken,omitempty"`
	SearchedLogStreams []struct{}      `json:"searchedLogStreams"`
}

func (s *Store) filterLogEvents(_ context.Context, in *filterLogEvents) (filtered, error) {
	if len(in.LogStreamNames) > 0 && in.LogStreamNamePrefix != "" {
		return filtered{}, wire.Refuse("InvalidParameterException", "logStreamNamePrefix and logStreamNames are mutually exclusive.")
	}
	q := query{to: -1, limit: maxEvents, streams: func(name string) bool {
		return strings.HasPrefix(name, in.LogStreamNamePrefix) && (len(in.LogStreamNames) == 0 || slices.Contains(in.LogStreamNames, name))
	}}
	if in.StartTime != nil {
		q.from = *in.StartTime
	}
	if in.EndTime != nil {
		q.to = *in.EndTime
	}
	var err error
	if q.matches, err = pattern(in.FilterPattern); err != nil {
		return filtered{}, err
	}
	if q.limit, err = limit(in.Limit, maxEvents); err != nil {
		return filtered{}, err
	}
	if q.after, err = parseToken(in.NextToken); err != nil {
		return filtered{}, err
	}
	name := in.LogGroupName
	if name == "" {
		name = in.LogGroupIdentifier
	}
	list, next, err := s.read(name, q)
	if err != nil {
		return filtered{}, err
	}
	out := filtered{Events: make([]filteredEvent, 0, len(list)), NextToken: token(next), SearchedLogStreams: []struct{}{}}
	for _, e := range list {
		out.Events = append(out.Events, filteredEvent{fmt.Sprintf("%056d", e.number), e.ingested, e.stream, e.message, e.at})
	}
	return out, nil
}

// token is a position as clients carry it; empty for none.
func token(p *position) string {
	if p == nil {
		return ""
	}
	return fmt.Sprintf("%d/%d", p.at, p.number)
}

func parseToken(text string) (position, error) {
	var p position
	if text == "" {
		return p, nil
	}
	if n, err := fmt.Sscanf(text, "%d/%d", &p.at, &p.number); n != 2 || err != nil || token(&p) != text {
		return p, wire.Refuse("InvalidParameterException", "The specified nextToken is invalid.")
	}
	return p, nil
}

func limit(asked, most int) (int, error) {
	if asked == 0 {
		return most, nil
	}
	if asked < 0 || asked > most {
		return 0, wire.Refuse("InvalidParameterException", "1 validation error detected: Value '%d' at 'limit' failed to satisfy constraint: Member must have value between 1 and %d", asked, most)
	}
	return asked, nil
}

type getLogEvents struct {
	LogGroupName       string `json:"logGroupName"`
	LogGroupIdentifier string `json:"logGroupIdentifier"`
	LogStreamName      string `json:"logStreamName"`
	StartTime          int64  `json:"startTime"`
	EndTime            *int64 `json:"endTime"`
	Limit              int    `json:"limit"`
	NextToken          string `json:"nextToken"`
	StartFromHead      bool   `json:"startFromHead"`
}

type outputEvent struct {
	IngestionTime int64  `json:"ingestionTime"`
	Message       string `json:"message"`
	Timestamp     int64  `json:"timestamp"`
}

type gotEvents struct {
	Events            []outputEvent `json:"events"`
	NextBackwardToken string        `json:"nextBackwardToken"`
	NextForwardToken  string        `json:"nextForwardToken"`
}

// getLogEvents reads forward from a token, or from the beginning; without either
// it returns the newest. At the end the forward token is the one that came in,
// as on AWS.
func (s *Store) getLogEvents(_ context.Context, in *getLogEvents) (gotEvents, error) {
	most, err := limit(in.Limit, maxEvents)
	if err != nil {
		return gotEvents{}, err
	}
	after, err := parseToken(strings.TrimPrefix(strings.TrimPrefix(in.NextToken, "f/"), "b/"))
	if err != nil {
		return gotEvents{}, err
	}
	q := query{from: in.StartTime, to: -1, limit: math.MaxInt, after: after, matches: func(string) bool { return true }, streams: func(name string) bool { return name == in.LogStreamName }}
	if in.EndTime != nil {
		q.to = *in.EndTime - 1 // GetLogEvents leaves the end itself out
	}
	name := in.LogGroupName
	if name == "" {
		name = in.LogGroupIdentifier
	}
	if err := s.hasStream(name, in.LogStreamName); err != nil {
		return gotEvents{}, err
	}
	list, _, err := s.read(name, q)
	if err != nil {
		return gotEvents{}, err
	}
	if len(list) > most {
		if in.StartFromHead || in.NextToken != "" {
			list = list[:most]
		} else {
			list = list[len(list)-most:]
		}
	}
	first, last := after, after
	if len(list) > 0 {
		first = position{list[0].at, list[0].number}
		last = position{list[len(list)-1].at, list[len(list)-1].number}
	}
	out := gotEvents{Events: make([]outputEvent, 0, len(list)), NextBackwardToken: "b/" + token(&first), NextForwardToken: "f/" + token(&last)}
	for _, e := range list {
		out.Events = append(out.Events, outputEvent{e.ingested, e.message, e.at})
	}
	return out, nil
}

func (s *Store) hasStream(group, name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(group)
	if err != nil {
		return err
	}
	if g.streams[name] == nil {
		return wire.Refuse("ResourceNotFoundException", "The specified log stream does not exist.")
	}
	return nil
}

type putLogEvents struct {
	LogGroupName  string `json:"logGroupName"`
	LogStreamName string `json:"logStreamName"`
	LogEvents     []struct {
		Message   string `json:"message"`
		Timestamp int64  `json:"timestamp"`
	} `json:"logEvents"`
}

func (s *Store) putLogEvents(_ context.Context, in *putLogEvents) (map[string]string, error) {
	if err := s.hasStream(in.LogGroupName, in.LogStreamName); err != nil {
		return nil, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(in.LogGroupName)
	if err != nil || g.streams[in.LogStreamName] == nil {
		return nil, wire.Refuse("ResourceNotFoundException", "The specified log stream does not exist.")
	}
	for i, e := range in.LogEvents {
		if i > 0 && e.Timestamp < in.LogEvents[i-1].Timestamp {
			return nil, wire.Refuse("InvalidParameterException", "Log events in a single PutLogEvents request must be in chronological order.")
		}
	}
	for _, e := range in.LogEvents {
		s.add(g, in.LogStreamName, e.Timestamp, e.Message)
	}
	return map[string]string{"nextSequenceToken": fmt.Sprintf("%056d", s.number)}, nil
}
