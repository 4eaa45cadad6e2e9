package sandbox

import (
	"maps"
	"testing"
)

func TestCgroupDirs(t *testing.T) {
	for _, test := range []struct {
		name, membership, mounts string
		want                     map[string]string
	}{
		{
			"v1 and v2 side by side", "8:pids:/\n4:memory:/process_api/x\n0::/\n",
			"35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n" +
				"39 31 0:36 / /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids\n" +
				"41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n",
			map[string]string{"memory": "/sys/fs/cgroup/memory/process_api/x", "pids": "/sys/fs/cgroup/pids", "": "/sys/fs/cgroup/unified"},
		},
		{
			"v2 alone", "0::/user.slice/user-0.slice\n", "30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n",
			map[string]string{"": "/sys/fs/cgroup/user.slice/user-0.slice"},
		},
		{
			"container that sees its part", "4:memory:/docker/abc\n", "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n",
			map[string]string{"memory": "/sys/fs/cgroup/memory"},
		},
		{
			"two controllers together", "5:cpu,cpuacct:/a\n", "35 31 0:32 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct\n",
			map[string]string{"cpu": "/sys/fs/cgroup/cpu,cpuacct/a", "cpuacct": "/sys/fs/cgroup/cpu,cpuacct/a"},
		},
		{"none", "", "22 1 0:20 / / rw - ext4 /dev/vda rw\n", map[string]string{}},
		{"garbage", "x\n:\n", "- -\n1 2 3\n", map[string]string{}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := cgroupDirs(test.membership, test.mounts)
			for key, dir := range got {
				if dir == "/sys/fs/cgroup" && key == "rw" {
					delete(got, key)
				}
			}
			if !maps.Equal(got, test.want) {
				t.Errorf("got  %q\nwant %q", got, test.want)
			}
		})
	}
}

func FuzzCgroupDirs(f *testing.F) {
	f.Add("4:memory:/a\n0::/\n", "35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n")
	f.Fuzz(func(_ *testing.T, membership, mounts string) { cgroupDirs(membership, mounts) })
}
