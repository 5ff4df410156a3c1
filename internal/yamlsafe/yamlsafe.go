// Package yamlsafe looks at text before a YAML library parses it.
package yamlsafe

// TooDeep says where values are nested more than most deep: the library recurses into them,
// which takes memory quadratic in the depth. What nests with few characters is brackets, and the dashes,
// question marks and colons at the start of a line.
func TooDeep(data []byte, most int) (line, column int, deep bool) {
	brackets, heads, inHead := 0, 0, true
	line, column = 1, 1
	for i, r := range string(data) {
		followed := i+1 == len(data) || data[i+1] == ' ' || data[i+1] == '\t'
		switch {
		case r == '\n' || r == '\r':
			line, column, heads, inHead = line+1, 0, 0, true
		case r == '[' || r == '{':
			brackets++
			inHead = false
		case r == ']' || r == '}':
			brackets = max(0, brackets-1)
			inHead = false
		case inHead && followed && (r == '-' || r == '?' || r == ':'):
			heads++
		case r != ' ' && r != '\t':
			inHead = false
		}
		if brackets > most || heads > most {
			return line, column, true
		}
		column++
	}
	return 0, 0, false
}
