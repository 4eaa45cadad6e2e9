package images

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strings"
)

// merged are the directories that are links into /usr since Debian 12.
var merged = []string{"bin", "sbin", "lib", "lib64"}

// unpack writes the files of packages as one tar, merged into /usr, and returns
// what it may need to add to it.
func unpack(ctx context.Context, w *tar.Writer, packages []string) (*seen, error) {
	s := &seen{paths: map[string]bool{}}
	for _, dir := range merged {
		if err := s.link(w, dir, "usr/"+dir); err != nil {
			return nil, err
		}
	}
	for _, deb := range packages {
		if err := unpackOne(ctx, w, deb, s); err != nil {
			return nil, fmt.Errorf("unpack %s: %w", path.Base(deb), err)
		}
	}
	return s, nil
}

// unpackOne copies the files of one package.
func unpackOne(ctx context.Context, w *tar.Writer, deb string, s *seen) (err error) {
	cmd := exec.CommandContext(ctx, "dpkg-deb", "--fsys-tarfile", deb)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	defer func() {
		_, drained := io.Copy(io.Discard, out)
		err = errors.Join(err, drained, cmd.Wait())
	}()
	for r := tar.NewReader(out); ; {
		h, err := r.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		h.Name = intoUsr(path.Clean(strings.TrimPrefix(h.Name, "./")))
		if h.Typeflag == tar.TypeLink {
			h.Linkname = intoUsr(path.Clean(strings.TrimPrefix(h.Linkname, "./")))
		}
		if h.Name == "." || s.paths[h.Name] || slices.Contains(merged, h.Name) {
			continue
		}
		if h.Typeflag == tar.TypeDir {
			h.Name += "/"
		}
		if err := s.copy(w, h, r); err != nil {
			return err
		}
	}
}

// intoUsr is where a path lies once /bin, /sbin and /lib are links.
func intoUsr(p string) string {
	for _, dir := range merged {
		if strings.HasPrefix(p, dir+"/") {
			return "usr/" + p
		}
	}
	return p
}

// seen knows what is in a root already, and keeps what is made into other files.
type seen struct {
	paths        map[string]bool
	certificates strings.Builder // one after the other, as in ca-certificates.crt
}

func (s *seen) copy(w *tar.Writer, h *tar.Header, r io.Reader) error {
	s.paths[strings.TrimSuffix(h.Name, "/")] = true
	h.Format = tar.FormatUnknown
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	if strings.HasPrefix(h.Name, "usr/share/ca-certificates/mozilla/") {
		r = io.TeeReader(r, &s.certificates)
	}
	_, err := io.Copy(w, r)
	return err
}

func (s *seen) link(w *tar.Writer, name, target string) error {
	if s.paths[name] {
		return nil
	}
	s.paths[name] = true
	return w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeSymlink, Linkname: target, Mode: 0o777})
}

func (s *seen) file(w *tar.Writer, name, content string) error {
	if s.paths[name] {
		return nil
	}
	s.paths[name] = true
	if err := w.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(content))}); err != nil {
		return err
	}
	_, err := io.WriteString(w, content)
	return err
}

// finish makes what the packages' scripts would have made, as far as programs
// need it.
func (s *seen) finish(w *tar.Writer) error {
	links := map[string]string{"usr/bin/sh": "dash", "usr/bin/php": ""}
	for _, p := range slices.Sorted(maps.Keys(s.paths)) {
		if ok, err := path.Match("usr/bin/php[0-9].[0-9]", p); ok && err == nil {
			links["usr/bin/php"] = path.Base(p)
		}
		// phpenmod: a configuration for each extension that is there.
		if ok, err := path.Match("usr/lib/php/2*/*.so", p); ok && err == nil {
			name := strings.TrimSuffix(path.Base(p), ".so")
			kind := "extension"
			if name == "opcache" {
				kind = "zend_extension"
			}
			version := strings.TrimPrefix(links["usr/bin/php"], "php")
			if err := s.file(w, "etc/php/"+version+"/cli/conf.d/20-"+name+".ini", kind+"="+name+".so\n"); err != nil {
				return err
			}
		}
	}
	for name, target := range links {
		if target == "" || !s.paths[path.Join(path.Dir(name), target)] {
			continue
		}
		if err := s.link(w, name, target); err != nil {
			return err
		}
	}
	if s.certificates.Len() > 0 {
		if err := s.file(w, "etc/ssl/certs/ca-certificates.crt", s.certificates.String()); err != nil {
			return err
		}
	}
	if err := s.file(w, "etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:100:101:app:/home/app:/bin/sh\n"); err != nil {
		return err
	}
	return s.file(w, "etc/group", "root:x:0:\napp:x:101:\n")
}
