package annotations

import (
	"cmp"
	"slices"
)

// nearest returns the key of the table that takes the fewest changes from key.
func nearest(key string) string {
	return slices.MinFunc(table, func(a, b row) int {
		return cmp.Compare(distance(key, a.key), distance(key, b.key))
	}).key
}

// distance is Levenshtein's: how many letters to insert, delete or replace.
// What is compared is at most some dozens of letters long.
func distance(a, b string) int {
	if len(a) > 100 {
		a = a[:100]
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
