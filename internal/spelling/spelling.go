// Package spelling finds the words that misspelled ones were meant to be.
package spelling

import "strings"

// mostLetters bounds the words that are compared.
const mostLetters = 64

// Nearest returns the word of known that text most likely misspells. Case does not count.
func Nearest(text string, known []string) (string, bool) {
	if len(text) > mostLetters {
		return "", false
	}
	plain := strings.ToLower(text)
	best, fewest := "", len(plain)
	for _, word := range known {
		if d := Distance(plain, strings.ToLower(word)); d < fewest {
			best, fewest = word, d
		}
	}
	// A third of the letters may be wrong; in short words, one.
	return best, best != "" && fewest <= max(1, min(len(plain), len(best))/3)
}

// Distance counts the letters to insert, drop, replace or swap with their neighbour to turn a into
// b. Words that differ by more than eight letters in length are not misspellings: their distance is
// the longer length.
func Distance(a, b string) int {
	if d := len(a) - len(b); d > 8 || d < -8 {
		return max(len(a), len(b))
	}
	width := len(b) + 1
	cost := make([]int, (len(a)+1)*width)
	for i := range len(a) + 1 {
		for j := range width {
			switch {
			case i == 0:
				cost[j] = j
				continue
			case j == 0:
				cost[i*width] = i
				continue
			}
			replace := cost[(i-1)*width+j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			cost[i*width+j] = min(replace, cost[(i-1)*width+j]+1, cost[i*width+j-1]+1)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				cost[i*width+j] = min(cost[i*width+j], cost[(i-2)*width+j-2]+1)
			}
		}
	}
	return cost[len(cost)-1]
}
