package lambda

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// maxLayers is how many layers a function may have.
const maxLayers = 5

// Patterns of layers as AWS states them in its errors.
const (
	layerNamePattern    = `(arn:[a-zA-Z0-9-]+:lambda:[a-zA-Z0-9-]+:\d{12}:layer:[a-zA-Z0-9-_]+)|[a-zA-Z0-9-_]+`
	layerVersionPattern = `(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\d{1}:\d{12}:layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)`
)

var (
	layerNameRegexp    = whole(layerNamePattern)
	layerVersionRegexp = whole(layerVersionPattern)
)

// Names that a layer may say that it works with, beyond those that functions can be created with (recorded from the real service, in this
// order).
var layerRuntimes = []string{
	"ruby3.5", "ruby2.6", "dotnetcore1.0", "python3.7", "nodejs8.10", "nasa", "ruby2.7", "python2.7-greengrass", "dotnetcore2.0", "python3.8",
	"java21", "dotnet6", "dotnetcore2.1", "python3.9", "java11", "nodejs6.10", "provided", "dotnetcore3.1", "dotnet8", "java25", "java17",
	"nodejs", "nodejs4.3", "java8.al2", "go1.x", "dotnet10", "nodejs20.x", "go1.9", "byol", "nodejs10.x", "provided.al2023", "nodejs22.x",
	"python3.10", "java8", "nodejs12.x", "python3.11", "nodejs24.x", "nodejs8.x", "python3.12", "nodejs14.x", "nodejs8.9", "nodejs26.x",
	"python3.13", "python3.14", "nodejs16.x", "python3.15", "provided.al2", "nodejs4.3-edge", "nodejs18.x", "ruby3.2", "python3.4", "ruby3.3",
	"ruby3.4", "ruby2.5", "python3.6", "python2.7",
}

type publishLayerRequest struct {
	Description             string
	Content                 *struct{ codeSource }
	CompatibleRuntimes      []string
	CompatibleArchitectures []string
	LicenseInfo             string
}

func (in *publishLayerRequest) check(c *constraints) {
	c.required("content", in.Content != nil)
	c.length("description", in.Description, 0, maxDescription)
	c.length("licenseInfo", in.LicenseInfo, 0, 512)
	runtimesText := "[" + strings.Join(in.CompatibleRuntimes, ", ") + "]"
	if len(in.CompatibleRuntimes) > 15 {
		c.failed("compatibleRuntimes", runtimesText, "Member must have length less than or equal to 15")
	}
	for _, name := range in.CompatibleRuntimes {
		if !slices.Contains(layerRuntimes, name) {
			c.failed("compatibleRuntimes", runtimesText, "Member must satisfy enum value set: ["+strings.Join(runtimes, ", ")+"]")
			break
		}
	}
	architectures := "[" + strings.Join(in.CompatibleArchitectures, ", ") + "]"
	if len(in.CompatibleArchitectures) > 2 {
		c.failed("compatibleArchitectures", architectures, "Member must have length less than or equal to 2")
	}
	c.architectures("compatibleArchitectures", in.CompatibleArchitectures)
}

// architectures checks each of a list.
func (c *constraints) architectures(member string, list []string) {
	for _, a := range list {
		if a != "x86_64" && a != "arm64" {
			c.failed(member, "["+strings.Join(list, ", ")+"]",
				"Member must satisfy constraint: [Member must satisfy enum value set: [x86_64, arm64], Member must not be null]")
			return
		}
	}
}

// checkLayerARNs is for the layers of a function.
func checkLayerARNs(c *constraints, list []string) {
	for _, arn := range list {
		if len(arn) < 1 || len(arn) > 2048 || !layerVersionRegexp.MatchString(arn) {
			c.failed("layers", "["+strings.Join(list, ", ")+"]", "Member must satisfy constraint: [Member must have length less than or equal to "+
				"2048, Member must have length greater than or equal to 1, Member must satisfy regular expression pattern: "+layerVersionPattern+
				", Member must not be null]")
			return
		}
	}
}

// layerName reads the layer that a request speaks of, a name or an ARN, with what else there is to check of the request.
func (s *Service) layerName(target string, also func(*constraints)) (layerRef, error) {
	var c constraints
	c.length("layerName", target, 1, 140)
	c.pattern("layerName", target, layerNameRegexp, layerNamePattern)
	if also != nil {
		also(&c)
	}
	if err := c.err(); err != nil {
		return layerRef{}, err
	}
	parts := strings.Split(target, ":")
	if len(parts) == 1 {
		return layerRef{name: target}, nil
	}
	if parts[3] != s.opts.Region || parts[4] != s.opts.Account {
		return layerRef{}, &apiError{status: http.StatusForbidden, code: "AccessDeniedException", plain: true}
	}
	return layerRef{name: parts[6]}, nil
}

// layerVersion reads the layer and the number that a request speaks of.
func (s *Service) layerVersion(r *http.Request, target string, also func(*constraints)) (layerRef, error) {
	q, err := s.layerName(target, also)
	if err != nil {
		return layerRef{}, err
	}
	number := r.PathValue("name")
	if q.number, err = strconv.Atoi(number); err != nil {
		return layerRef{}, malformed(err)
	}
	if q.number < 1 {
		return layerRef{}, invalidParameter("Layer Version Cannot be less than 1")
	}
	return q, nil
}
