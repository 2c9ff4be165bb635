// Package nearest guesses which word somebody meant.
package nearest

// longest is how many bytes of a word are compared: nobody mistypes more, and the time grows with the square.
const longest = 100

// Word is the known word that name most likely meant: at most a third of it mistyped; "" where none is near.
func Word(name string, known []string) string {
	if len(name) > longest {
		return ""
	}
	best, bestDistance := "", max(1, len(name)/3)+1
	for _, word := range known {
		if d := distance(name, word); d < bestDistance {
			best, bestDistance = word, d
		}
	}
	return best
}

// distance is Levenshtein's, in bytes.
func distance(a, b string) int {
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
