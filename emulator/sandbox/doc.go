// Package sandbox runs one Lambda execution environment: unpacked code, the bootstrap process, its Runtime API, limits and logs.
//
// A sandbox is a set of Linux namespaces around one bootstrap process. Its root is made of the host's own system directories, read-only, which
// stand in for Amazon Linux; /var/task holds the function's code, /opt that of its layers, /tmp is its own. The process runs as uid 993 without
// capabilities. External extensions, the programs in /opt/extensions, run beside it. Between invocations all are frozen. As root their memory and
// processes are limited by cgroups (v1 or v2); without root the same layout is made in an unprivileged user namespace, where no cgroup is at hand:
// there the memory limit is not enforced.
//
// A sandbox has no network but its own loopback, on which the Runtime API (169.254.100.1:9001, as on Lambda) and, when given, an AWS API
// listen. Functions of different sandboxes may therefore use the same ports.
//
// The package knows nothing of the Lambda API: names, states, queues and REPORT lines are the emulator's. It needs Linux 5.12 or later.
package sandbox
