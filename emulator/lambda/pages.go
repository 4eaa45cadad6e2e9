package lambda

import (
	"encoding/base64"
	"net/http"
	"strconv"
)

// maxPage is what most list operations answer at most, whatever MaxItems asks for.
const maxPage = 50

// page is what a request for a list asks for: so many items after the one of that key.
type page struct {
	after string
	size  int
}

// readPage reads Marker and MaxItems.
func readPage(r *http.Request) (page, error) {
	query := r.URL.Query()
	p := page{size: maxPage}
	if v := query.Get("MaxItems"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil {
			return page{}, malformed(err)
		}
		var c constraints
		c.between("maxItems", &n, 1, 10000)
		if err := c.err(); err != nil {
			return page{}, err
		}
		p.size = min(n, maxPage)
	}
	after, err := base64.RawURLEncoding.DecodeString(query.Get("Marker"))
	if err != nil {
		return page{}, invalidParameter("Invalid Marker")
	}
	p.after = string(after)
	return p, nil
}

// cut takes the page out of a whole list, whose items stay in their order. next is the key of its last item if there are more.
func cut[T any](list []T, p page, key func(T) string) (items []T, next string) {
	if p.after != "" {
		for i, item := range list {
			if key(item) == p.after {
				list = list[i+1:]
				break
			}
		}
	}
	if len(list) <= p.size {
		return list, ""
	}
	return list[:p.size], key(list[p.size-1])
}

func writePage(w http.ResponseWriter, member string, items any, next string) {
	out := map[string]any{member: items}
	if next != "" {
		out["NextMarker"] = base64.RawURLEncoding.EncodeToString([]byte(next))
	}
	writeJSON(w, http.StatusOK, out)
}
