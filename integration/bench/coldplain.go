package main

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"golang.org/x/sys/unix"
)

// plainArgument makes the program start a watchdog in a root of its own and
// print how long it took to answer.
const plainArgument = "-plain"

// static refuses a watchdog that not every image's root can start.
func static(program string) error {
	f, err := elf.Open(program)
	if err != nil {
		return fmt.Errorf("read %s: %w", program, err)
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is linked dynamically, and the root of an image may have no loader: build it with CGO_ENABLED=0", program)
		}
	}
	return nil
}

// newRoot unpacks the image of a layout and puts the watchdog to measure in the
// place of its own.
func newRoot(image, watchdog, dir string) (job, error) {
	index, err := layout.ImageIndexFromPath(image)
	if err != nil {
		return job{}, err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return job{}, err
	}
	img, err := index.Image(manifest.Manifests[0].Digest)
	if err != nil {
		return job{}, err
	}
	file, err := img.ConfigFile()
	if err != nil {
		return job{}, err
	}
	for _, name := range []string{"proc", "dev", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o755); err != nil {
			return job{}, err
		}
	}
	files := mutate.Extract(img)
	unpack := exec.Command("tar", "-x", "-p", "-C", dir)
	unpack.Stdin = files
	if said, err := unpack.CombinedOutput(); err != nil {
		return job{}, fmt.Errorf("unpack %s: %w: %s", image, err, said)
	}
	if err := files.Close(); err != nil {
		return job{}, err
	}
	program, err := os.ReadFile(watchdog)
	if err != nil {
		return job{}, err
	}
	user, err := strconv.ParseUint(file.Config.User, 10, 32)
	if err != nil {
		return job{}, fmt.Errorf("user of the image: %w", err)
	}
	j := job{User: uint32(user), Root: dir, Dir: file.Config.WorkingDir, Env: file.Config.Env, Args: file.Config.Entrypoint}
	// It writes a file there when it is ready.
	if err := os.Chmod(filepath.Join(dir, "tmp"), 0o1777); err != nil {
		return job{}, err
	}
	return j, os.WriteFile(filepath.Join(dir, j.Args[0]), program, 0o755)
}

// isolated runs this program with a job, in namespaces of its own: the ports are
// its own, and its mounts go with it.
func isolated(ctx context.Context, job string) (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, self, plainArgument, job)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWNET | syscall.CLONE_NEWPID}
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	said, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("start a watchdog in a root of its own: %w: %s", err, &stderr)
	}
	return string(said), nil
}

// plainChild does the job. It returns the exit status; as the first process of
// its namespace it takes the watchdog with it.
func plainChild(text string) int {
	took, err := plainStart(text)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(took)
	return 0
}

func plainStart(text string) (time.Duration, error) {
	var j job
	if err := json.Unmarshal([]byte(text), &j); err != nil {
		return 0, err
	}
	err := errors.Join(
		unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("proc", filepath.Join(j.Root, "proc"), "proc", 0, ""),
		unix.Mount("/dev", filepath.Join(j.Root, "dev"), "", unix.MS_BIND|unix.MS_REC, ""),
		loopback())
	if err != nil {
		return 0, fmt.Errorf("prepare the root: %w", err)
	}
	cmd := &exec.Cmd{Path: j.Args[0], Args: j.Args, Dir: j.Dir, Env: j.Env, Stderr: os.Stderr, SysProcAttr: &syscall.SysProcAttr{Chroot: j.Root, Credential: &syscall.Credential{Uid: j.User, Gid: j.User}}}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	for time.Since(begin) < time.Minute {
		if answers("http://127.0.0.1:8080/json") {
			return time.Since(begin), nil
		}
		time.Sleep(time.Millisecond)
	}
	return 0, fmt.Errorf("%s did not answer in a minute", strings.Join(j.Args, " "))
}

func answers(url string) bool {
	res, err := http.Get(url)
	if err != nil {
		return false
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err == nil && res.StatusCode == http.StatusOK
}

// loopback brings up the interface that a new namespace has down.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	request, err := unix.NewIfreq("lo")
	if err == nil {
		request.SetUint16(unix.IFF_UP)
		err = unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request)
	}
	return errors.Join(err, unix.Close(fd))
}
