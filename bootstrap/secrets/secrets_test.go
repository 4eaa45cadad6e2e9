package secrets

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func load(t *testing.T, env []string) (*Store, *logs) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	l := &logs{}
	s, err := Load(ctx, env, l.logger())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s, l
}

func value(t *testing.T, s *Store, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(s.Dir(), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestValuesBecomeFiles(t *testing.T) {
	binary := string([]byte{0, 1, 2, 0xff})
	aws := startAWS(t, map[string][]answer{
		"secretsmanager:prod/db": {secretString("pass\nwörd\n\x00")},
		"secretsmanager:arn:aws:secretsmanager:eu-central-1:123456789012:secret:bin-AbCdEf": {secretBinary([]byte(binary))},
		"secretsmanager:empty": {secretString("")},
		"ssm:/prod/token":      {parameter("t0ken")},
		"ssm:plain":            {parameter("p")},
	})
	s, l := load(t, aws.env(t, map[string]string{
		"db": "secretsmanager:prod/db", "bin": "secretsmanager:arn:aws:secretsmanager:eu-central-1:123456789012:secret:bin-AbCdEf",
		"empty": "secretsmanager:empty", "token": "ssm:/prod/token", "tls.key": "ssm:plain",
	}))
	for name, want := range map[string]string{"db": "pass\nwörd\n\x00", "bin": binary, "empty": "", "token": "t0ken", "tls.key": "p"} {
		if got := value(t, s, name); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
		info, err := os.Stat(filepath.Join(s.Dir(), name))
		if err != nil || info.Mode() != 0o400 {
			t.Errorf("%s: mode %v, %v", name, info.Mode(), err)
		}
	}
	if info, err := os.Stat(s.Dir()); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: %v, %v", info.Mode(), err)
	}
	if entries, err := os.ReadDir(s.Dir()); err != nil || len(entries) != 5 {
		t.Errorf("directory holds %v, %v", entries, err)
	}
	if l.String() != "" {
		t.Errorf("logged %s", l)
	}
}

func TestNoSecretsNoStore(t *testing.T) {
	for name, env := range map[string][]string{
		"nothing set":  nil,
		"empty":        {"FAAS_LAMBDA_SECRETS="},
		"empty object": {"FAAS_LAMBDA_SECRETS={}", "FAAS_LAMBDA_SECRETS_REFRESH=nonsense", "AWS_ENDPOINT_URL=%"},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := Load(t.Context(), env, nil)
			if s != nil || err != nil {
				t.Fatal(s, err)
			}
			s.Refresh(t.Context(), time.Time{})
			s.Close()
			if got := s.Environ([]string{"A=b"}); s.Dir() != "" || !slices.Equal(got, []string{"A=b"}) {
				t.Errorf("dir %q, environment %v", s.Dir(), got)
			}
		})
	}
}

func TestEnviron(t *testing.T) {
	s := &Store{dir: "/tmp/s"}
	for name, c := range map[string]struct{ env, want []string }{
		"told":            {[]string{"A=b"}, []string{"A=b", "secret_mount_path=/tmp/s"}},
		"the user's stay": {[]string{"secret_mount_path=/run/secrets"}, []string{"secret_mount_path=/run/secrets"}},
		"another name":    {[]string{"secret_mount_paths=x"}, []string{"secret_mount_paths=x", "secret_mount_path=/tmp/s"}},
	} {
		if got := s.Environ(c.env); !slices.Equal(got, c.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestManyAreFetchedFourAtATime(t *testing.T) {
	names, answers := numbered(20)
	aws := startAWS(t, answers)
	release := aws.block()
	go func() {
		for range workers {
			<-aws.held
		}
		release()
	}()
	s, _ := load(t, aws.env(t, names))
	if aws.most != workers || len(aws.calls()) != 20 {
		t.Errorf("%d at a time, %d calls", aws.most, len(aws.calls()))
	}
	if got := value(t, s, "s17"); got != "value 17" {
		t.Errorf("s17 = %q", got)
	}
}

func TestFailedInitialization(t *testing.T) {
	refused := func(code, message string) []answer {
		return []answer{{400, `{"__type":"` + code + `","Message":"` + message + `"}`}}
	}
	for name, c := range map[string]struct {
		answers []answer
		says    []string
	}{
		"missing": {nil, []string{"ResourceNotFoundException (status 400): Secrets Manager can't find the specified secret."}},
		"denied": {refused("com.amazon.coral.service#AccessDeniedException", "User: u is not authorized"),
			[]string{"AccessDeniedException (status 400): User: u is not authorized"}},
		"a signature's text ends at its first line": {refused("InvalidSignatureException", `It does not match.\n\nThe Canonical String was x-amz-security-token:test-token==`),
			[]string{"InvalidSignatureException (status 400): It does not match."}},
		"tokens are hidden":        {refused("ExpiredTokenException", "test-token== is old"), []string{"ExpiredTokenException (status 400): … is old"}},
		"no JSON":                  {[]answer{{200, "SuperSecret{"}}, []string{"the answer holds no value"}},
		"value of another kind":    {[]answer{{200, `{"SecretString":{"SuperSecret":1}}`}}, []string{"the answer holds no value"}},
		"no value":                 {[]answer{{200, `{"Name":"SuperSecret"}`}}, []string{"the answer holds no value"}},
		"an SSM answer":            {[]answer{parameter("SuperSecret")}, []string{"the answer holds no value"}},
		"a page of something else": {[]answer{{403, `<html>SuperSecret</html>`}}, []string{"Forbidden (status 403)"}},
		"a redirect":               {[]answer{{302, ``}}, []string{"Found (status 302)"}},
	} {
		t.Run(name, func(t *testing.T) {
			aws := startAWS(t, map[string][]answer{"secretsmanager:good": {secretString("SuperSecret")}, "secretsmanager:id": c.answers})
			env := aws.env(t, map[string]string{"good": "secretsmanager:good", "db-password": "secretsmanager:id"})
			s, err := Load(t.Context(), env, nil)
			if err == nil || s != nil {
				t.Fatal(s, err)
			}
			for _, want := range append(c.says, "fetch secret db-password (secretsmanager:id): ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("error %q lacks %q", err, want)
				}
			}
			for _, hidden := range []string{"SuperSecret", "test-token", "test/secret+key"} {
				if strings.Contains(err.Error(), hidden) {
					t.Errorf("error tells %q: %v", hidden, err)
				}
			}
			if errors.Is(err, ErrInvalid) {
				t.Errorf("%v is ErrInvalid", err)
			}
			if _, err := os.Stat(strings.TrimPrefix(env[len(env)-1], "FAAS_LAMBDA_SECRETS_DIR=")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("something was written: %v", err)
			}
		})
	}
}

func TestRetries(t *testing.T) {
	throttled := answer{400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`}
	aws := startAWS(t, map[string][]answer{
		"secretsmanager:id": {{500, `{"__type":"InternalServiceError"}`}, throttled, {0, ""}, {503, "busy"}, secretString("at last")},
	})
	s, _ := load(t, aws.env(t, map[string]string{"a": "secretsmanager:id"}))
	if got := value(t, s, "a"); got != "at last" || len(aws.calls()) != 5 {
		t.Errorf("%q after %d calls", got, len(aws.calls()))
	}
}

func TestRetriesEndWithTheInitialization(t *testing.T) {
	aws := startAWS(t, map[string][]answer{"secretsmanager:id": {{400, `{"__type":"ThrottlingException","message":"Rate exceeded"}`}}})
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	began := time.Now()
	_, err := Load(ctx, aws.env(t, map[string]string{"a": "secretsmanager:id"}), nil)
	if err == nil || !strings.Contains(err.Error(), "ThrottlingException (status 400): Rate exceeded (tried ") {
		t.Errorf("error = %v", err)
	}
	if d := time.Since(began); d > time.Minute {
		t.Errorf("it took %s", d)
	}
}

func TestSilentServerIsGivenUp(t *testing.T) {
	aws := startAWS(t, map[string][]answer{"secretsmanager:id": {secretString("x")}})
	release := aws.block()
	defer release()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := Load(ctx, aws.env(t, map[string]string{"a": "secretsmanager:id"}), nil)
	if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "fetch secret a (secretsmanager:id): ask 127.0.0.1") {
		t.Errorf("error = %v", err)
	}
}

func TestLeftoversOfAKilledProcess(t *testing.T) {
	aws := startAWS(t, map[string][]answer{"secretsmanager:id": {secretString("new")}})
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{".new-a": 0o400, "a": 0o400} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("old"), mode); err != nil {
			t.Fatal(err)
		}
	}
	s, _ := load(t, aws.env(t, map[string]string{"a": "secretsmanager:id"}, "FAAS_LAMBDA_SECRETS_DIR="+dir))
	if entries, err := os.ReadDir(dir); err != nil || len(entries) != 1 || value(t, s, "a") != "new" {
		t.Errorf("%v %v", entries, err)
	}
}

func TestDirectoryThatIsNone(t *testing.T) {
	aws := startAWS(t, map[string][]answer{"secretsmanager:id": {secretString("SuperSecret")}})
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	_, err := Load(t.Context(), aws.env(t, map[string]string{"a": "secretsmanager:id"}, "FAAS_LAMBDA_SECRETS_DIR="+link), nil)
	if err == nil || !strings.Contains(err.Error(), "is no directory") || strings.Contains(err.Error(), "SuperSecret") {
		t.Errorf("error = %v", err)
	}
}
