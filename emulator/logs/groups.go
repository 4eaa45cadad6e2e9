package logs

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/faas-lambda/faas-lambda/emulator/wire"
)

// API answers the operations of CloudWatch Logs, over AWS JSON 1.1.
func (s *Store) API() http.Handler {
	service := wire.NewService("")
	wire.Handle(service, "FilterLogEvents", s.filterLogEvents)
	wire.Handle(service, "GetLogEvents", s.getLogEvents)
	wire.Handle(service, "PutLogEvents", s.putLogEvents)
	wire.Handle(service, "CreateLogGroup", s.createLogGroup)
	wire.Handle(service, "DeleteLogGroup", s.deleteLogGroup)
	wire.Handle(service, "DescribeLogGroups", s.describeLogGroups)
	wire.Handle(service, "PutRetentionPolicy", s.putRetentionPolicy)
	wire.Handle(service, "DeleteRetentionPolicy", s.deleteRetentionPolicy)
	wire.Handle(service, "CreateLogStream", s.createLogStream)
	wire.Handle(service, "DeleteLogStream", s.deleteLogStream)
	wire.Handle(service, "DescribeLogStreams", s.describeLogStreams)
	wire.Handle(service, "TagResource", s.tagResource)
	wire.Handle(service, "UntagResource", s.untagResource)
	wire.Handle(service, "ListTagsForResource", s.listTags)
	return service
}

// maxDescribed is how many groups or streams a page has (API Reference).
const maxDescribed = 50

var groupForm = regexp.MustCompile(`^[.\-_/#A-Za-z0-9]{1,512}$`)

// retentions are the days that AWS knows (PutRetentionPolicy).
var retentions = []int{1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653}

type groupRequest struct {
	LogGroupName    string            `json:"logGroupName"`
	RetentionInDays int               `json:"retentionInDays"`
	Tags            map[string]string `json:"tags"`
}

func (s *Store) createLogGroup(_ context.Context, in *groupRequest) (struct{}, error) {
	if !groupForm.MatchString(in.LogGroupName) {
		return struct{}{}, wire.Refuse("InvalidParameterException", "1 validation error detected: Value '%s' at 'logGroupName' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\.\\-_/#A-Za-z0-9]+", in.LogGroupName)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups[in.LogGroupName] != nil {
		return struct{}{}, wire.Refuse("ResourceAlreadyExistsException", "The specified log group already exists")
	}
	maps.Copy(s.newGroup(in.LogGroupName).tags, in.Tags)
	return struct{}{}, nil
}

// change changes a group.
func (s *Store) change(name string, how func(g *group) error) (struct{}, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(name)
	if err != nil {
		return struct{}{}, err
	}
	return struct{}{}, how(g)
}

func (s *Store) deleteLogGroup(_ context.Context, in *groupRequest) (struct{}, error) {
	return s.change(in.LogGroupName, func(g *group) error {
		delete(s.groups, g.name)
		return nil
	})
}

func (s *Store) putRetentionPolicy(_ context.Context, in *groupRequest) (struct{}, error) {
	if !slices.Contains(retentions, in.RetentionInDays) {
		return struct{}{}, wire.Refuse("InvalidParameterException", "1 validation error detected: Value '%d' at 'retentionInDays' failed to satisfy constraint: Member must satisfy enum value set: %v", in.RetentionInDays, retentions)
	}
	return s.change(in.LogGroupName, func(g *group) error {
		g.retention = in.RetentionInDays
		return nil
	})
}

func (s *Store) deleteRetentionPolicy(_ context.Context, in *groupRequest) (struct{}, error) {
	return s.change(in.LogGroupName, func(g *group) error {
		g.retention = 0
		return nil
	})
}

type describeRequest struct {
	LogGroupName        string `json:"logGroupName"`
	LogGroupIdentifier  string `json:"logGroupIdentifier"`
	LogGroupNamePrefix  string `json:"logGroupNamePrefix"`
	LogGroupNamePattern string `json:"logGroupNamePattern"`
	LogStreamNamePrefix string `json:"logStreamNamePrefix"`
	OrderBy             string `json:"orderBy"`
	Descending          bool   `json:"descending"`
	Limit               int    `json:"limit"`
	NextToken           string `json:"nextToken"`
}

type describedGroup struct {
	LogGroupName    string `json:"logGroupName"`
	Arn             string `json:"arn"`
	LogGroupArn     string `json:"logGroupArn"`
	CreationTime    int64  `json:"creationTime"`
	RetentionInDays int    `json:"retentionInDays,omitempty"`
	StoredBytes     int    `json:"storedBytes"`
	LogGroupClass   string `json:"logGroupClass"`
}

type describedGroups struct {
	LogGroups []describedGroup `json:"logGroups"`
	NextToken string           `json:"nextToken,omitempty"`
}

func (s *Store) describeLogGroups(_ context.Context, in *describeRequest) (describedGroups, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var names []string
	for _, name := range slices.Sorted(maps.Keys(s.groups)) {
		if strings.HasPrefix(name, in.LogGroupNamePrefix) && strings.Contains(name, in.LogGroupNamePattern) {
			names = append(names, name)
		}
	}
	names, next, err := page(names, in.NextToken, in.Limit)
	if err != nil {
		return describedGroups{}, err
	}
	out := describedGroups{LogGroups: []describedGroup{}, NextToken: next}
	for _, name := range names {
		g := s.groups[name]
		arn := s.groupARN(g)
		out.LogGroups = append(out.LogGroups, describedGroup{name, arn + ":*", arn, g.created.UnixMilli(), g.retention, g.size, "STANDARD"})
	}
	return out, nil
}

// page cuts a list behind the name that a token is.
func page(names []string, after string, asked int) (some []string, next string, err error) {
	most, err := limit(asked, maxDescribed)
	if err != nil {
		return nil, "", err
	}
	if after != "" {
		i := slices.Index(names, after)
		names = names[i+1:]
	}
	if len(names) > most {
		names, next = names[:most], names[most-1]
	}
	return names, next, nil
}

type streamRequest struct {
	LogGroupName  string `json:"logGroupName"`
	LogStreamName string `json:"logStreamName"`
}

func (s *Store) createLogStream(_ context.Context, in *streamRequest) (struct{}, error) {
	if in.LogStreamName == "" || len(in.LogStreamName) > 512 || strings.ContainsAny(in.LogStreamName, ":*") {
		return struct{}{}, wire.Refuse("InvalidParameterException", "1 validation error detected: Value '%s' at 'logStreamName' failed to satisfy constraint: Member must satisfy regular expression pattern: [^:*]*", in.LogStreamName)
	}
	return s.change(in.LogGroupName, func(g *group) error {
		if g.streams[in.LogStreamName] != nil {
			return wire.Refuse("ResourceAlreadyExistsException", "The specified log stream already exists")
		}
		g.streams[in.LogStreamName] = &stream{name: in.LogStreamName, created: s.opts.Now(), empty: true}
		return nil
	})
}

func (s *Store) deleteLogStream(_ context.Context, in *streamRequest) (struct{}, error) {
	return s.change(in.LogGroupName, func(g *group) error {
		if g.streams[in.LogStreamName] == nil {
			return wire.Refuse("ResourceNotFoundException", "The specified log stream does not exist.")
		}
		delete(g.streams, in.LogStreamName)
		g.events = slices.DeleteFunc(g.events, func(e event) bool {
			gone := e.stream == in.LogStreamName
			if gone {
				g.size -= len(e.message)
			}
			return gone
		})
		return nil
	})
}

type describedStream struct {
	LogStreamName       string `json:"logStreamName"`
	Arn                 string `json:"arn"`
	CreationTime        int64  `json:"creationTime"`
	FirstEventTimestamp int64  `json:"firstEventTimestamp,omitempty"`
	LastEventTimestamp  int64  `json:"lastEventTimestamp,omitempty"`
	LastIngestionTime   int64  `json:"lastIngestionTime,omitempty"`
	StoredBytes         int    `json:"storedBytes"` // always 0 since 2019 (API Reference, LogStream)
}

type describedStreams struct {
	LogStreams []describedStream `json:"logStreams"`
	NextToken  string            `json:"nextToken,omitempty"`
}

func (s *Store) describeLogStreams(_ context.Context, in *describeRequest) (describedStreams, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g, err := s.find(cmp.Or(in.LogGroupName, in.LogGroupIdentifier))
	if err != nil {
		return describedStreams{}, err
	}
	var list []*stream
	for _, st := range g.streams {
		if strings.HasPrefix(st.name, in.LogStreamNamePrefix) {
			list = append(list, st)
		}
	}
	slices.SortFunc(list, func(a, b *stream) int {
		byName := cmp.Compare(a.name, b.name)
		if in.OrderBy == "LastEventTime" {
			byName = cmp.Or(cmp.Compare(a.last, b.last), byName)
		}
		if in.Descending {
			return -byName
		}
		return byName
	})
	names := make([]string, len(list))
	for i, st := range list {
		names[i] = st.name
	}
	names, next, err := page(names, in.NextToken, in.Limit)
	if err != nil {
		return describedStreams{}, err
	}
	out := describedStreams{LogStreams: []describedStream{}, NextToken: next}
	for _, name := range names {
		st := g.streams[name]
		d := describedStream{LogStreamName: name, Arn: s.groupARN(g) + ":log-stream:" + name, CreationTime: st.created.UnixMilli()}
		if !st.empty {
			d.FirstEventTimestamp, d.LastEventTimestamp, d.LastIngestionTime = st.first, st.last, st.ingested.UnixMilli()
		}
		out.LogStreams = append(out.LogStreams, d)
	}
	return out, nil
}

type tagRequest struct {
	ResourceArn string            `json:"resourceArn"`
	Tags        map[string]string `json:"tags"`
	TagKeys     []string          `json:"tagKeys"`
}

func (s *Store) tagResource(_ context.Context, in *tagRequest) (struct{}, error) {
	return s.change(in.ResourceArn, func(g *group) error {
		maps.Copy(g.tags, in.Tags)
		return nil
	})
}

func (s *Store) untagResource(_ context.Context, in *tagRequest) (struct{}, error) {
	return s.change(in.ResourceArn, func(g *group) error {
		for _, key := range in.TagKeys {
			delete(g.tags, key)
		}
		return nil
	})
}

func (s *Store) listTags(_ context.Context, in *tagRequest) (map[string]map[string]string, error) {
	tags := map[string]string{}
	_, err := s.change(in.ResourceArn, func(g *group) error {
		maps.Copy(tags, g.tags)
		return nil
	})
	return map[string]map[string]string{"tags": tags}, err
}
