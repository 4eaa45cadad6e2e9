package aws

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
)

// TestImagesInECRAreReadWithATokenOfTheirRegion asks a service that speaks ECR's
// protocol as far as tokens go.
func TestImagesInECRAreReadWithATokenOfTheirRegion(t *testing.T) {
	asked := map[string]int{}
	var answer atomic.Value // read by the service while the test is already further on
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("X-Amz-Target"); got != "AmazonEC2ContainerRegistry_V20150921.GetAuthorizationToken" {
			t.Errorf("asked for %s", got)
		}
		w.Header().Set("Content-Type", "application/x-amz-json-1.1")
		_, _ = fmt.Fprint(w, answer.Load())
	}))
	defer service.Close()
	e := &ECRCredentials{Config: func(_ context.Context, region string) (aws.Config, error) {
		asked[region]++
		return aws.Config{Region: region, BaseEndpoint: aws.String(service.URL), Credentials: credentials.NewStaticCredentialsProvider("a", "s", "")}, nil
	}}
	token := base64.StdEncoding.EncodeToString([]byte("AWS:pass:word"))
	data := func(token string, until time.Time) string {
		return fmt.Sprintf(`{"authorizationData":[{"authorizationToken":%q,"expiresAt":%d}]}`, token, until.Unix())
	}
	answer.Store(data(token, time.Now().Add(12*time.Hour)))
	for _, c := range []struct{ registry, region string }{
		{"123456789012.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1"},
		{"210987654321.dkr.ecr.eu-west-1.amazonaws.com", "eu-west-1"},
		{"123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "us-gov-west-1"},
		{"123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "cn-north-1"},
		{"123456789012.dkr-ecr.us-east-1.on.aws", "us-east-1"},
		{"public.ecr.aws", ""},
		{"docker.io", ""},
		{"123456789012.dkr.ecr.eu-west-1.amazonaws.com.example.com", ""},
		{"x123456789012.dkr.ecr.eu-west-1.amazonaws.com", ""},
	} {
		user, password, err := e.For(t.Context(), c.registry)
		if err != nil || (user == "AWS" && password == "pass:word") != (c.region != "") || c.region == "" && password != "" {
			t.Errorf("%s: %q, %q, %v", c.registry, user, password, err)
		}
		if c.region != "" && asked[c.region] != 1 {
			t.Errorf("%s: asked %d times in %s", c.registry, asked[c.region], c.region)
		}
	}
	if len(asked) != 4 {
		t.Errorf("asked in %v", asked)
	}
	// One that ends soon is asked for again; answers that are none are errors.
	for region, text := range map[string]string{
		"soon": data(token, time.Now().Add(time.Minute)), "empty": `{"authorizationData":[]}`, "odd": data("?", time.Now()), "colon": data("YQ==", time.Now()),
	} {
		answer.Store(text)
		for range 2 {
			_, _, err := e.For(t.Context(), "123456789012.dkr.ecr."+region+".amazonaws.com")
			if (err == nil) != (region == "soon") {
				t.Errorf("%s: %v", region, err)
			}
		}
		if asked[region] != 2 {
			t.Errorf("%s: asked %d times", region, asked[region])
		}
	}
}
