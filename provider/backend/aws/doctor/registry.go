package doctor

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/service/ecr"

	"github.com/faas-lambda/faas-lambda/provider/backend/aws/awserr"
)

// registryWait is how long a registry may take to answer the doctor.
const registryWait = 10 * time.Second

// registry looks for what container images are pushed to.
func (d *doctor) registry(ctx context.Context) {
	if d.Images != "" {
		host, _, _ := strings.Cut(d.Images, "/")
		d.otherRegistry(ctx, host)
		return
	}
	if _, err := ecr.NewFromConfig(d.Config).GetAuthorizationToken(ctx, &ecr.GetAuthorizationTokenInput{}); err != nil {
		d.say("registry", Warning, awserr.Wrap("ask ECR for a token", err).Error(), "allow ecr:GetAuthorizationToken, or functions that need a container image cannot be deployed")
		return
	}
	d.say("registry", Fine, "ECR", "")
}

// otherRegistry asks a registry whether it is one: whatever it answers, also that
// it wants credentials (distribution's API, "API version check").
func (d *doctor) otherRegistry(ctx context.Context, host string) {
	ctx, cancel := context.WithTimeout(ctx, registryWait)
	defer cancel()
	err := answers(ctx, "https://"+host+"/v2/")
	if err == nil {
		d.say("registry", Fine, d.Images, "")
		return
	}
	if answers(ctx, "http://"+host+"/v2/") == nil {
		d.say("registry", Fine, d.Images+", without TLS (insecure_registries)", "")
		return
	}
	d.say("registry", Warning, fmt.Sprintf("reach registry %s: %v", host, err),
		"check image_repository, and that the registry can be reached from here and its certificate is trusted, or functions that need a container image cannot be deployed")
}

func answers(ctx context.Context, url string) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	_, _ = io.CopyN(io.Discard, answer.Body, 1<<10) // so that the connection ends well
	if err := answer.Body.Close(); err != nil {
		return err
	}
	if answer.StatusCode >= http.StatusInternalServerError {
		return fmt.Errorf("it answers %s", answer.Status)
	}
	return nil
}
