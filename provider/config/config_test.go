package config

import (
	"strings"
	"testing"
	"time"
)

func read(env map[string]string) (Config, error) {
	return Read(func(name string) string { return env[name] })
}

func TestDefaults(t *testing.T) {
	c, err := read(nil)
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != 8080 || c.ReadTimeout != 10*time.Second || c.BasicAuth || c.Namespace != "openfaas-fn" ||
		c.SecretMountPath != "/run/secrets/" || c.Lambda.Timeout != time.Minute || c.Lambda.Arch != "amd64" {
		t.Errorf("defaults are %+v", c)
	}
	if err := c.Serve(); err == nil || !strings.Contains(err.Error(), "lambda_execution_role") {
		t.Errorf("Serve without a role = %v, want an error that names the variable", err)
	}
}

func TestValuesThatUsersKnow(t *testing.T) {
	c, err := read(map[string]string{
		"port": "8081", "read_timeout": "60", "write_timeout": "1m30s", "basic_auth": "true",
		"secret_mount_path": "/var/secrets", "function_namespace": "fn", "max_idle_conns_per_host": "7",
		"lambda_execution_role": "arn:aws:iam::123456789012:role/service-role/lambda", "function_timeout": "900",
		"insecure_registries": "registry:5000, 127.0.0.1:5001",
	})
	if err != nil {
		t.Fatal(err)
	}
	if c.Port != 8081 || c.ReadTimeout != time.Minute || c.WriteTimeout != 90*time.Second || !c.BasicAuth ||
		c.SecretMountPath != "/var/secrets" || c.Namespace != "fn" || c.MaxIdleConns != 7 ||
		c.Lambda.Timeout != 15*time.Minute || len(c.InsecureRegistries) != 2 || c.InsecureRegistries[1] != "127.0.0.1:5001" {
		t.Errorf("read %+v", c)
	}
	if err := c.Serve(); err != nil {
		t.Error(err)
	}
}

func TestBadValuesNameTheVariable(t *testing.T) {
	for name, value := range map[string]string{
		"port": "http", "read_timeout": "soon", "write_timeout": "-1", "basic_auth": "yes",
		"function_namespace": "Open FaaS", "max_idle_conns": "0", "max_idle_conns_per_host": "many",
		"lambda_execution_role": "lambda-role", "function_timeout": "16m", "function_memory": "64",
		"function_arch": "x86", "cache_dir": "cache", "insecure_registries": "http://registry:5000",
		"deploy_timeout": "0", "image_pull_secrets": "secret", "signature_policy": "policy.json", "code_bucket": "s3://code", "adopt_pattern": "[a", "payload_memory": "1", "ready_wait": "0", "shutdown_timeout": "1h",
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(map[string]string{name: value})
			if err == nil || !strings.Contains(err.Error(), name+"=") || !strings.Contains(err.Error(), value) {
				t.Errorf("%s=%s gave %v", name, value, err)
			}
		})
	}
	if _, err := read(map[string]string{"port": "x", "basic_auth": "x"}); err == nil || strings.Count(err.Error(), "want") != 2 {
		t.Errorf("two bad values gave %v", err)
	}
}
