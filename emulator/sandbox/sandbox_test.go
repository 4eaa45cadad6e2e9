package sandbox

import (
	"strings"
	"testing"
)

func TestEcho(t *testing.T) {
	s := bootSandbox(t, openHost(t), Spec{})
	for range 3 {
		if got := mustInvoke(t, s, `{"hello":"world"}`); got != `{"hello":"world"}` {
			t.Errorf("answer = %q", got)
		}
	}
}

func TestLayout(t *testing.T) {
	s := bootSandbox(t, openHost(t), Spec{Function: Function{Variables: map[string]string{"MINE": "1"}}})
	for _, test := range []struct{ name, command, want string }{
		{"user", "id -u; id -g; id -un", "993\n990\nsbx_user1051"},
		{"no groups", "id -G", "990"},
		{"directory", "pwd", "/var/task"},
		{"tmp is writable", "echo hi > /tmp/f && cat /tmp/f", "hi"},
		{"tmp is empty of the host's", "ls -A /tmp", "f"},
		{"host name", "uname -n", "169.254.100.1"},
		{"own variable", "echo $MINE", "1"},
		{"task root", "echo $LAMBDA_TASK_ROOT $AWS_LAMBDA_RUNTIME_API $TZ", "/var/task 169.254.100.1:9001 :UTC"},
		{"open files", "ulimit -n", "1024"},
		{"no capabilities", "grep -E 'Cap(Inh|Prm|Eff|Bnd|Amb)' /proc/self/status | grep -vc 0000000000000000", "0\n exit status 1"},
		{"no new privileges", "grep NoNewPrivs /proc/self/status | tr -d '\\t '", "NoNewPrivs:1"},
		{"devices", "head -c 3 /dev/zero | wc -c; echo x > /dev/null", "3"},
		{"certificates", "ls /etc/ssl/certs/ca-certificates.crt", "/etc/ssl/certs/ca-certificates.crt"},
		{"no host home", "ls -A /root /home /run /mnt", "/home:\n\n/mnt:\n\n/root:\n\n/run:"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := shell(t, s, test.command); got != test.want {
				t.Errorf("%s\n got %q\nwant %q", test.command, got, test.want)
			}
		})
	}
}

func TestReadOnly(t *testing.T) {
	s := bootSandbox(t, openHost(t), Spec{})
	for _, dir := range []string{"/", "/var/task", "/etc", "/usr", "/opt", "/dev", "/var/tmp", "/home"} {
		if got := shell(t, s, "touch "+dir+"/x"); !strings.Contains(got, "Read-only file system") && !strings.Contains(got, "Permission denied") {
			t.Errorf("touch %s/x: %s", dir, got)
		}
	}
	if got := shell(t, s, "awk '$2 != \"/tmp\" && $2 != \"/proc\" && $4 !~ /(^|,)ro(,|$)/ {print $2}' /proc/mounts"); got != "" {
		t.Errorf("writable mounts: %s", got)
	}
}
