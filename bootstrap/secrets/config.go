package secrets

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/faas-lambda/faas-lambda/bootstrap/dial"
)

// The variables of the function that configure this package; the provider sets
// the first two. docs/secrets.md is their reference.
const (
	namesVariable   = "FAAS_LAMBDA_SECRETS"
	refreshVariable = "FAAS_LAMBDA_SECRETS_REFRESH"
	dirVariable     = "FAAS_LAMBDA_SECRETS_DIR"
)

const (
	defaultDir = "/tmp/.faas-lambda/secrets" // the only place that a function can write to is /tmp
	defaultTTL = 5 * time.Minute
)

// The services that a reference may name.
const (
	secretsManager = "secretsmanager"
	parameterStore = "ssm"
)

// reference is one secret: what its file is called and what it is in AWS.
type reference struct {
	name    string
	ref     string // as configured, SERVICE:ID
	service string
	id      string
}

type config struct {
	named       []reference // by name, in order
	ttl         time.Duration
	dir         string
	region      string
	endpoints   map[string]*url.URL // by service
	proxy       dial.Proxy
	credentials credentialSource
}

// parseConfig reads env. Without names nothing else is looked at.
func parseConfig(env []string) (config, error) {
	vars := map[string]string{}
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		vars[name] = value
	}
	c := config{ttl: defaultTTL, dir: defaultDir}
	var err error
	if c.named, err = parseNames(vars[namesVariable]); err != nil {
		return config{}, invalid(namesVariable, err)
	}
	if len(c.named) == 0 {
		return config{}, nil
	}
	var errs []error
	if v := vars[refreshVariable]; v != "" {
		if c.ttl, err = time.ParseDuration(v); err != nil || c.ttl < 0 {
			errs = append(errs, invalid(refreshVariable, fmt.Errorf("%q is not a duration of 0 or more", v)))
		}
	}
	if v := vars[dirVariable]; v != "" {
		if c.dir = path.Clean(v); !path.IsAbs(v) {
			errs = append(errs, invalid(dirVariable, fmt.Errorf("%q is not an absolute path", v)))
		}
	}
	errs = append(errs, c.parseAWS(vars))
	return c, errors.Join(errs...)
}

func invalid(variable string, err error) error {
	return fmt.Errorf("%w: %s: %w", ErrInvalid, variable, err)
}

// parseNames reads {"name":"service:id"}.
func parseNames(text string) ([]reference, error) {
	if text == "" {
		return nil, nil
	}
	var names map[string]string
	if err := json.Unmarshal([]byte(text), &names); err != nil {
		return nil, errors.New("is no JSON object of strings")
	}
	list := make([]reference, 0, len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		ref := names[name]
		if !fileName(name) {
			return nil, fmt.Errorf("%q cannot be the name of a secret: letters, digits, '-', '_' and '.' inside, at most 253", name)
		}
		service, id, _ := strings.Cut(ref, ":")
		if service != secretsManager && service != parameterStore || id == "" || len(id) > 2048 || strings.ContainsFunc(id, control) {
			return nil, fmt.Errorf("secret %s: %q is neither secretsmanager:NAME-or-ARN nor ssm:NAME", name, ref)
		}
		list = append(list, reference{name: name, ref: ref, service: service, id: id})
	}
	return list, nil
}

// fileName says whether name is safe as the name of a file in our directory.
func fileName(name string) bool {
	if name == "" || name[0] == '.' || len(name) > 253 {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	})
}

func control(r rune) bool { return r < ' ' || r == 0x7f }

// parseAWS reads what the SDKs read under the same names.
func (c *config) parseAWS(vars map[string]string) error {
	c.region = vars["AWS_REGION"]
	if c.region == "" {
		c.region = vars["AWS_DEFAULT_REGION"]
	}
	if !regionName(c.region) {
		return invalid("AWS_REGION", fmt.Errorf("%q is no region", c.region))
	}
	c.endpoints = map[string]*url.URL{}
	var errs []error
	for service, variable := range map[string]string{
		secretsManager: "AWS_ENDPOINT_URL_SECRETS_MANAGER", parameterStore: "AWS_ENDPOINT_URL_SSM",
	} {
		endpoint := "https://" + service + "." + c.region + "." + domain(c.region)
		for _, name := range []string{"AWS_ENDPOINT_URL", variable} {
			if vars[name] != "" {
				endpoint, variable = vars[name], name
			}
		}
		u, err := parseEndpoint(endpoint)
		if err != nil {
			errs = append(errs, invalid(variable, err))
		}
		c.endpoints[service] = u
	}
	var err error
	if c.proxy, err = dial.ParseProxy(vars); err != nil {
		errs = append(errs, fmt.Errorf("%w: %w", ErrInvalid, err))
	}
	c.credentials, err = parseCredentials(vars)
	return errors.Join(append(errs, err)...)
}

func regionName(region string) bool {
	return region != "" && len(region) <= 63 && !strings.ContainsFunc(region, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

// domain is where a region's services are (the partitions of AWS's
// endpoints.json).
func domain(region string) string {
	for prefix, name := range map[string]string{
		"cn-": "amazonaws.com.cn", "eusc-": "amazonaws.eu", "us-iso-": "c2s.ic.gov", "us-isob-": "sc2s.sgov.gov",
		"us-isof-": "csp.hci.ic.gov", "eu-isoe-": "cloud.adc-e.uk",
	} {
		if strings.HasPrefix(region, prefix) {
			return name
		}
	}
	return "amazonaws.com"
}

func parseEndpoint(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("is no URL of the form https://HOST[:PORT][/PATH]") // err may repeat a password
	}
	if u.Path == "" {
		u.Path = "/"
	}
	return u, nil
}
