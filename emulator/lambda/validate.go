package lambda

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strings"
)

const rolePattern = `arn:(aws[a-zA-Z-]*)?:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+`

var (
	roleRegexp     = whole(rolePattern)
	handlerRegexp  = whole(`[^\s]+`)
	variableRegexp = whole(`[a-zA-Z]([a-zA-Z0-9_])+`)
	subnetRegexp   = whole(`subnet-[0-9a-z]*`)
	groupRegexp    = whole(`sg-[0-9a-zA-Z]*`)
)

// Limits of a function's configuration.
const (
	minMemory      = 128
	maxMemory      = 10240
	maxTimeout     = 900
	maxHandler     = 128
	maxDescription = 256
	minStorage     = 512
	maxStorage     = 10240
	maxEnvironment = 4096 // as compact JSON
	maxTags        = 50
	maxImageArgs   = 1500 // of entry point and of command
)

// runtimes in the order in which AWS lists them in its error.
var runtimes = []string{
	"nodejs20.x", "python3.14", "provided.al2023", "python3.12", "python3.13", "nodejs24.x", "nodejs22.x", "java25", "python3.10",
	"python3.11", "java21", "ruby3.3", "ruby3.4", "ruby3.2", "python3.8", "python3.9", "java17", "nodejs16.x", "dotnet10", "dotnet8", "java11",
	"dotnet6", "nodejs18.x", "provided.al2", "java8.al2",
}

// retiredRuntimes were once valid.
var retiredRuntimes = []string{
	"nodejs", "nodejs4.3", "nodejs6.10", "nodejs8.10", "nodejs10.x", "nodejs12.x", "nodejs14.x", "java8", "python2.7", "python3.6", "python3.7",
	"dotnetcore1.0", "dotnetcore2.0", "dotnetcore2.1", "dotnetcore3.1", "go1.x", "ruby2.5", "ruby2.7", "provided",
}

// reservedVariables cannot be set on a function (AWS: "Defined runtime environment variables").
var reservedVariables = []string{
	"_HANDLER", "_X_AMZN_TRACE_ID", "AWS_ACCESS_KEY", "AWS_ACCESS_KEY_ID", "AWS_DEFAULT_REGION", "AWS_EXECUTION_ENV",
	"AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "AWS_LAMBDA_FUNCTION_NAME", "AWS_LAMBDA_FUNCTION_VERSION", "AWS_LAMBDA_INITIALIZATION_TYPE",
	"AWS_LAMBDA_LOG_GROUP_NAME", "AWS_LAMBDA_LOG_STREAM_NAME", "AWS_LAMBDA_RUNTIME_API", "AWS_REGION", "AWS_SECRET_ACCESS_KEY",
	"AWS_SESSION_TOKEN", "LAMBDA_RUNTIME_DIR", "LAMBDA_TASK_ROOT",
}

// model checks what the API model itself constrains.
func (s *settings) model(c *constraints) {
	if s.Role != nil {
		c.pattern("role", *s.Role, roleRegexp, rolePattern)
	}
	if s.Handler != nil {
		c.length("handler", *s.Handler, 0, maxHandler)
		c.pattern("handler", *s.Handler, handlerRegexp, `[^\s]+`)
	}
	if s.Description != nil {
		c.length("description", *s.Description, 0, maxDescription)
	}
	c.between("timeout", s.Timeout, 1, maxTimeout)
	c.between("memorySize", s.MemorySize, minMemory, maxMemory)
	if s.EphemeralStorage != nil {
		c.between("ephemeralStorage.size", &s.EphemeralStorage.Size, minStorage, maxStorage)
	}
	if s.TracingConfig != nil {
		c.oneOf("tracingConfig.mode", s.TracingConfig.Mode, "Active", "PassThrough")
	}
	if s.SnapStart != nil {
		c.oneOf("snapStart.applyOn", s.SnapStart.ApplyOn, "PublishedVersions", "None")
	}
	checkLayerARNs(c, s.Layers)
	if s.VpcConfig != nil {
		c.ids("vpcConfig.subnetIds", s.VpcConfig.SubnetIds, subnetRegexp, `subnet-[0-9a-z]*`)
		c.ids("vpcConfig.securityGroupIds", s.VpcConfig.SecurityGroupIds, groupRegexp, `sg-[0-9a-zA-Z]*`)
	}
	s.ImageConfig.model(c)
	if s.LoggingConfig != nil && s.LoggingConfig.LogFormat != "" {
		c.oneOf("loggingConfig.logFormat", s.LoggingConfig.LogFormat, "JSON", "Text")
	}
}

// service checks what the service constrains beyond the model.
func (s *settings) service() error {
	if s.Runtime != nil {
		if err := checkRuntime(*s.Runtime); err != nil {
			return err
		}
	}
	if s.VpcConfig != nil { // there is no EC2; AWS looks for the groups first
		for _, group := range s.VpcConfig.SecurityGroupIds {
			return invalidParameter("Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. EC2 Error Message: "+
				"The security group '%s' does not exist", group)
		}
		for _, subnet := range s.VpcConfig.SubnetIds {
			return invalidParameter("Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. EC2 Error Message: "+
				"The subnet ID '%s' does not exist", subnet)
		}
	}
	if len(s.FileSystemConfigs) > 0 {
		return invalidParameter("The emulator has no file systems.")
	}
	return nil
}

func checkRuntime(name string) error {
	switch {
	case slices.Contains(runtimes, name):
		return nil
	case slices.Contains(retiredRuntimes, name):
		return invalidParameter("The runtime parameter of %s is no longer supported for creating or updating AWS Lambda functions. We "+
			"recommend you use a supported runtime while creating or updating functions.", name)
	}
	return invalidParameter("Value %s at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: [%s] or be a valid ARN",
		name, strings.Join(runtimes, ", "))
}

// variables reads and checks the environment.
func (e *rawEnvironment) variables() (map[string]string, error) {
	values := map[string]string{}
	if len(e.Variables) == 0 || string(e.Variables) == "null" {
		return values, nil
	}
	if err := json.Unmarshal(e.Variables, &values); err != nil {
		return nil, malformed(err)
	}
	var reserved []string
	for name := range values {
		if !variableRegexp.MatchString(name) && !slices.Contains(reservedVariables, name) {
			return nil, validation([]string{fmt.Sprintf("Value '{%s=***}' at 'environment.variables' failed to satisfy constraint: Map keys "+
				"must satisfy constraint: [Member must satisfy regular expression pattern: [a-zA-Z]([a-zA-Z0-9_])+]", name)})
		}
		if slices.Contains(reservedVariables, name) {
			reserved = append(reserved, name)
		}
	}
	if len(reserved) > 0 {
		sort.Strings(reserved)
		return nil, invalidParameter("Lambda was unable to configure your environment variables because the environment variables you have "+
			"provided contains reserved keys that are currently not supported for modification. Reserved keys used in this request: %s",
			strings.Join(reserved, ", "))
	}
	if measured := measure(e.Variables, values); len(measured) > maxEnvironment {
		return nil, invalidParameter("Lambda was unable to configure your environment variables because the environment variables you have "+
			"provided exceeded the 4KB limit. String measured: %s", measured)
	}
	return values, nil
}

// measure writes the variables as compact JSON in the order of the request, with nothing escaped that need not be.
func measure(raw json.RawMessage, values map[string]string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	write := func(text string) {
		if encoder.Encode(text) == nil {
			out.Truncate(out.Len() - 1) // the newline
		}
	}
	out.WriteByte('{')
	for i, name := range keysInOrder(raw) {
		if i > 0 {
			out.WriteByte(',')
		}
		write(name)
		out.WriteByte(':')
		write(values[name])
	}
	out.WriteByte('}')
	return out.String()
}

func keysInOrder(raw json.RawMessage) []string {
	var keys []string
	decoder := json.NewDecoder(bytes.NewReader(raw))
	for i := 0; ; i++ {
		token, err := decoder.Token()
		if err != nil {
			return keys
		}
		if name, ok := token.(string); ok && i%2 == 1 && !slices.Contains(keys, name) {
			keys = append(keys, name)
		}
	}
}

func checkTags(tags map[string]string) error {
	if len(tags) > maxTags {
		return invalidParameter("Number of tags exceeds resource tag limit.")
	}
	for key, value := range tags {
		if !tagKeyRegexp.MatchString(key) || len([]rune(key)) > 128 || len([]rune(value)) > 256 || !tagValueRegexp.MatchString(value) {
			return invalidParameter("The tag '%s' is not valid: keys have 1 to 128 and values up to 256 characters of letters, digits, "+
				"spaces and _.:/=+-@", key)
		}
	}
	return nil
}

var (
	tagKeyRegexp   = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]+$`)
	tagValueRegexp = regexp.MustCompile(`^[\p{L}\p{Z}\p{N}_.:/=+\-@]*$`)
)

func malformed(err error) *apiError {
	return &apiError{status: 400, code: "SerializationException", message: "Could not parse request body into json: " + err.Error(), plain: true}
}
