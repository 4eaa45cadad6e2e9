package recorded

import (
	"fmt"
)

var tagCases = map[string]func(*replay){
	"TestLambdaTag::test_create_tag_on_fn_create": func(r *replay) {
		f := name("f")
		r.help("", f, m{"Tags": m{"testtag": "tag-1"}})
		out := r.get("get_function_result", f)
		r.do("list_tags_result", "ListTags", m{"Resource": text(out, "Configuration", "FunctionArn")})
	},
	"TestLambdaTag::test_tag_lifecycle":                  tagFunctionLifecycle,
	"TestLambdaTag::test_tag_lifecycle[lambda_function]": tagFunctionLifecycle,
	"TestLambdaTag::test_tag_exceptions[lambda_function]": func(r *replay) {
		r.tagExceptions("function:", "0f8fad5b-d9cb-469f-a165-70867728950e")
	},
	"TestLambdaTag::test_tag_exceptions[capacity_provider]": func(r *replay) {
		r.tagExceptions("capacity-provider:", "0f8fad5b-d9cb-469f-a165-70867728950e")
	},
	"TestLambdaTag::test_tag_nonexisting_resource": func(r *replay) {
		f := name("f")
		r.help("", f)
		arn := arnPrefix + "function:" + f
		r.get("pre_delete_get_function", arn)
		r.do("", "DeleteFunction", m{"FunctionName": arn})
		r.tagNothing(arn)
	},
	"TestLambdaTags::test_tag_exceptions": func(r *replay) {
		f := name("f")
		r.help("", f)
		arn, tags := arnPrefix+"function:"+f, m{"key_a": "value_a"}
		r.do("tag_lambda_invalidarn", "TagResource", m{"Resource": "arn:aws:something", "Tags": tags})
		r.do("tag_lambda_doesnotexist", "TagResource", m{"Resource": arnPrefix + "function:doesnotexist", "Tags": tags})
		r.do("tag_lambda_qualifier_doesnotexist", "TagResource", m{"Resource": arn + ":v1", "Tags": tags})
		r.do("list_tag_lambda_empty", "ListTags", m{"Resource": arn})
		r.do("untag_nomatch", "UntagResource", m{"Resource": arn, "TagKeys": []string{"somekey"}})
		r.do("untag_empty_keys", "UntagResource", m{"Resource": arn, "TagKeys": []string{}})
		r.do("tag_empty_tags", "TagResource", m{"Resource": arn, "Tags": m{}})
	},
	"TestLambdaTags::test_tag_limits": func(r *replay) {
		many := func(n int) m {
			tags := m{}
			for k := range n {
				tags[fmt.Sprintf("%d_key", k)] = fmt.Sprintf("%d_value", k)
			}
			return tags
		}
		f := name("f")
		r.help("", f)
		arn := arnPrefix + "function:" + f
		r.do("tag_lambda_too_many_tags", "TagResource", m{"Resource": arn, "Tags": many(51)})
		r.do("tag_response", "TagResource", m{"Resource": arn, "Tags": many(50)})
		r.do("list_tags_response", "ListTags", m{"Resource": arn})
		r.get("get_fn_response", f)
		r.do("tag_lambda_too_many_tags_additional", "TagResource", m{"Resource": arn, "Tags": m{"a_key": "a_value"}})
		r.do("create_function_invalid_tags", "CreateFunction", function(name("f"), m{"Tags": many(51)}))
	},
	"TestLambdaTags::test_tag_versions": func(r *replay) {
		f := name("f")
		r.help("", f, m{"Tags": m{"key_a": "value_a"}})
		version := text(r.publish("", f), "FunctionArn")
		r.do("tag_resource_exception", "TagResource", m{"Resource": version, "Tags": m{"key_b": "value_b"}})
		r.do("tag_resource_latest_exception", "TagResource", m{"Resource": arnPrefix + "function:" + f + ":$LATEST", "Tags": m{"key_b": "value_b"}})
	},
	"TestLambdaTags::test_tag_lifecycle": func(r *replay) {
		f := name("f")
		r.help("", f, m{"Tags": m{"key_a": "value_a"}})
		arn := arnPrefix + "function:" + f
		look := func(suffix string) {
			r.do("list_tags_response_"+suffix, "ListTags", m{"Resource": arn})
			r.get("get_fn_response_"+suffix, arn)
		}
		look("postfncreate")
		r.do("tag_resource_response", "TagResource", m{"Resource": arn, "Tags": m{"key_b": "value_b", "key_c": "value_c", "key_d": "value_d", "key_e": "value_e"}})
		look("postaddtags")
		r.do("tag_resource_overwrite", "TagResource", m{"Resource": arn, "Tags": m{"key_b": "value_b", "key_c": "value_x"}})
		look("overwrite")
		r.do("", "UntagResource", m{"Resource": arn, "TagKeys": []string{"key_c", "key_d"}})
		look("postuntag")
		r.do("", "UntagResource", m{"Resource": arn, "TagKeys": []string{"key_a", "key_b", "key_e"}})
		look("postuntagall")
		r.do("", "DeleteFunction", m{"FunctionName": f})
		r.do("list_tags_postdelete", "ListTags", m{"Resource": arn})
	},
}

func tagFunctionLifecycle(r *replay) {
	f := name("f")
	r.help("", f)
	r.tagLifecycle(arnPrefix + "function:" + f)
}

// tagLifecycle tags and untags a resource that has no tags.
func (r *replay) tagLifecycle(arn string) {
	tag := func(step string, tags m) {
		r.do(step, "TagResource", m{"Resource": arn, "Tags": tags})
		r.do(step+"_listtags", "ListTags", m{"Resource": arn})
	}
	untag := func(step string, keys ...string) {
		r.do(step, "UntagResource", m{"Resource": arn, "TagKeys": keys})
		r.do(step+"_listtags", "ListTags", m{"Resource": arn})
	}
	tag("tag_single_response", m{"A": "tag-a"})
	tag("tag_multiple_response", m{"B": "tag-b", "C": "tag-c"})
	tag("tag_overlap_response", m{"C": "tag-c-newsuffix", "D": "tag-d"})
	untag("untag_single_response", "A")
	untag("untag_multiple_response", "B", "C")
	untag("untag_nonexisting_response", "F")
	untag("untag_existing_and_nonexisting_response", "D", "F")
}

// tagExceptions speaks of a resource that is not there, and of what is none.
func (r *replay) tagExceptions(kind, id string) {
	r.tagNothing(arnPrefix + kind + id)
	r.do("aliased_arn_exception", "ListTags", m{"Resource": arnPrefix + kind + id + ":alias"})
	r.do("invalid_arn_exception", "ListTags", m{"Resource": arnPrefix + "foobar:" + id})
}

func (r *replay) tagNothing(arn string) {
	r.do("not_found_exception_tag", "TagResource", m{"Resource": arn, "Tags": m{"A": "B"}})
	r.do("not_found_exception_untag", "UntagResource", m{"Resource": arn, "TagKeys": []string{"A"}})
	r.do("not_found_exception_list", "ListTags", m{"Resource": arn})
}
