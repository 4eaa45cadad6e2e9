package recorded

import (
	"net/http"
	"net/url"
	"strings"
	"time"
)

// queue makes one and returns its ARN.
func (r *replay) queue() string {
	r.t.Helper()
	queue := name("queue")
	form := url.Values{"Action": {"CreateQueue"}, "QueueName": {queue}}
	req, err := http.NewRequestWithContext(r.t.Context(), http.MethodPost, r.url+"/", strings.NewReader(form.Encode()))
	if err != nil {
		r.t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "AWS4-HMAC-SHA256 Credential=id/20260101/"+region+"/sqs/aws4_request, SignedHeaders=host, Signature=0")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		r.t.Fatal(err)
	}
	_ = resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		r.t.Fatalf("CreateQueue: %s", resp.Status)
	}
	return "arn:aws:sqs:" + region + ":" + account + ":" + queue
}

// mapping waits until the change of a mapping has ended; it may be gone then.
func (r *replay) mapping(id string) {
	r.t.Helper()
	for {
		state := text(r.call("GetEventSourceMapping", m{"UUID": id}), "State")
		if state == "" || state == "Enabled" || state == "Disabled" {
			return
		}
		select {
		case <-time.After(time.Millisecond):
		case <-r.t.Context().Done():
			r.t.Fatal("the mapping does not come to rest")
		}
	}
}

// unmap deletes a mapping and waits for the end of that.
func (r *replay) unmap(id string) {
	r.t.Helper()
	r.mapping(id)
	r.do("", "DeleteEventSourceMapping", m{"UUID": id})
	r.mapping(id)
}

const (
	tableStream  = "arn:aws:dynamodb:" + region + ":" + account + ":table/table-1/stream/2025-11-25T02:48:00.000"
	kinesis      = "arn:aws:kinesis:" + region + ":" + account + ":stream/stream-1"
	unknownUUID  = "00000000-0000-4000-8000-000000000000"
	kafkaServers = "KAFKA_BOOTSTRAP_SERVERS"
)

var mappingCases = map[string]func(*replay){
	"TestLambdaEventSourceMappings::test_event_source_mapping_exceptions": func(r *replay) {
		unknown, queue := m{"UUID": unknownUUID}, m{"FunctionName": "unknown", "EventSourceArn": "arn:aws:sqs:" + region + ":" + account + ":somequeue"}
		r.do("get_unknown_uuid", "GetEventSourceMapping", unknown)
		r.do("delete_unknown_uuid", "DeleteEventSourceMapping", unknown)
		r.do("update_unknown_uuid", "UpdateEventSourceMapping", with(unknown, m{"Enabled": false}))
		r.do("create_no_event_source_arn", "CreateEventSourceMapping", m{"FunctionName": "unknown"})
		r.do("create_unknown_params", "CreateEventSourceMapping", queue)
		r.do("destination_config_failure", "CreateEventSourceMapping", with(queue, m{"DestinationConfig": m{"OnSuccess": m{"Destination": queue["EventSourceArn"]}}}))
	},
	"TestLambdaEventSourceMappings::test_create_event_source_validation": func(r *replay) {
		r.positions(tableStream)
		r.do("incompatible_starting_position", "CreateEventSourceMapping", m{"FunctionName": "unknown", "EventSourceArn": tableStream, "StartingPosition": "AT_TIMESTAMP", "StartingPositionTimestamp": 1741010802})
	},
	"TestLambdaEventSourceMappings::test_create_event_source_validation_kinesis": func(r *replay) { r.positions(kinesis) },
	"TestLambdaEventSourceMappings::test_create_event_filter_criteria_validation": func(r *replay) {
		f := name("f")
		r.help("", f)
		r.do("response-with-empty-filters", "CreateEventSourceMapping", m{"FunctionName": f, "EventSourceArn": tableStream, "StartingPosition": "LATEST", "FilterCriteria": m{"Filters": []any{}}})
	},
	"TestLambdaEventSourceMappings::test_function_name_variations": func(r *replay) {
		f, queue := r.aliased("", "", "myalias"), r.queue()
		partial, full := account+":function:"+f, arnPrefix+"function:"+f
		for _, one := range []struct{ step, function string }{
			{"name_only", f}, {"partial_arn_latest", partial + ":$LATEST"}, {"partial_arn_version", partial + ":1"}, {"partial_arn_alias", partial + ":myalias"},
			{"full_arn_latest", full}, {"full_arn_version", full + ":1"}, {"full_arn_alias", full + ":myalias"},
		} {
			out := r.do(one.step+"_create_esm", "CreateEventSourceMapping", m{"FunctionName": one.function, "EventSourceArn": queue})
			r.unmap(text(out, "UUID"))
		}
	},
	"TestLambdaEventSourceMappings::test_create_event_source_self_managed": selfManaged,
	"TestLambdaTag::test_create_tag_on_esm_create": func(r *replay) {
		f := name("f")
		r.help("", f)
		out := r.do("", "CreateEventSourceMapping", m{"FunctionName": f, "EventSourceArn": r.queue(), "Tags": m{"testtag": "value"}})
		r.mapping(text(out, "UUID"))
		got := r.call("GetEventSourceMapping", m{"UUID": out["UUID"]})
		r.check("get_event_source_mapping_with_tag", text(got, "EventSourceMappingArn") == text(out, "EventSourceMappingArn"))
		r.do("list_tags_result", "ListTags", m{"Resource": out["EventSourceMappingArn"]})
	},
	"TestLambdaTag::test_tag_lifecycle[event_source_mapping]": func(r *replay) {
		f := name("f")
		r.help("", f)
		out := r.do("", "CreateEventSourceMapping", m{"FunctionName": f, "EventSourceArn": r.queue()})
		r.tagLifecycle(text(out, "EventSourceMappingArn"))
	},
	"TestLambdaTag::test_tag_exceptions[event_source_mapping]": func(r *replay) {
		r.tagExceptions("event-source-mapping:", "0f8fad5b-d9cb-469f-a165-70867728950e")
	},
}

// positions maps a stream from nowhere, and from what is no position.
func (r *replay) positions(stream string) {
	f := name("f")
	r.help("", f)
	in := m{"FunctionName": f, "EventSourceArn": stream}
	r.do("no_starting_position", "CreateEventSourceMapping", in)
	r.do("invalid_starting_position", "CreateEventSourceMapping", with(in, m{"StartingPosition": "invalid"}))
}

func selfManaged(r *replay) {
	f := name("f")
	r.help("", f)
	brokers := func(all ...string) m { return m{"SelfManagedEventSource": m{"Endpoints": m{kafkaServers: all}}} }
	access := m{"SourceAccessConfigurations": []any{m{"Type": "BASIC_AUTH", "URI": "arn:aws:secretsmanager:" + region + ":" + account + ":secret:" + name("secret")}}}
	in := with(m{"FunctionName": f, "Topics": []string{"topic"}, "StartingPosition": "TRIM_HORIZON"}, brokers("kafka:1000"))
	r.do("missing-source-access-configuration", "CreateEventSourceMapping", in)
	in = with(in, access)
	r.do("event-source-mapping-default", "CreateEventSourceMapping", in)
	r.do("duplicate-source", "CreateEventSourceMapping", in)
	r.do("event-source-mapping-values", "CreateEventSourceMapping", with(in, m{
		"Topics": []string{"topic_2"}, "BatchSize": 1, "StartingPosition": "LATEST", "SelfManagedKafkaEventSourceConfig": m{"ConsumerGroupId": "random_id"},
	}))
	r.do("multiple-duplicate-source", "CreateEventSourceMapping", with(in, brokers("kafka:1000", "kafka:2000")))
}
