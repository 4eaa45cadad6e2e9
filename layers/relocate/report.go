package relocate

// Report says what was moved and how, for whoever inspects a package. Paths are
// those of the image, without a leading slash.
type Report struct {
	Loaders  []Loader   `json:"loaders,omitempty"`  // dynamic loaders that were changed
	Programs []string   `json:"programs,omitempty"` // dynamic programs that name their loader in the package now
	Runpaths []string   `json:"runpaths,omitempty"` // ELF files whose absolute library directories were taken out
	Scripts  []string   `json:"scripts,omitempty"`  // whose first line names its interpreter in the package now
	Texts    []string   `json:"texts,omitempty"`    // configuration whose paths were moved
	Compiled int        `json:"compiled,omitempty"` // compiled Python modules that count whatever their sources' times
	Links    int        `json:"links,omitempty"`    // symbolic links that were rewritten
	Env      []Variable `json:"env,omitempty"`      // variables that were added or changed
	Static   []string   `json:"static,omitempty"`   // static programs not of Go: paths compiled into them stay
	LeftOut  []Rule     `json:"leftOut,omitempty"`  // what no function reads
	Unmoved  []Unmoved  `json:"unmoved,omitempty"`  // what may not work in the package
}

// Loader is a dynamic loader of the image.
type Loader struct {
	Path      string `json:"path"`
	Kind      string `json:"kind"`      // glibc or musl
	Programs  int    `json:"programs"`  // that start through it
	Libraries int    `json:"libraries"` // names of libraries that it finds
}

// Variable is a variable of the environment that the image does not set so.
type Variable struct {
	Name   string `json:"name"`
	Value  string `json:"value"` // empty when it was taken out
	Reason string `json:"reason"`
}

// Rule is a kind of files that was left out.
type Rule struct {
	Name  string `json:"name"`
	Files int    `json:"files"`
	Bytes int64  `json:"bytes"`
}

// Unmoved is a file that may not work in the package, and why.
type Unmoved struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
}
