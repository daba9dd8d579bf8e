package ses

// pageSize is how many entries of a list a client gets at a time; it gets usual if it does not say.
func pageSize(wanted *int, usual, most int) (int, error) {
	if wanted == nil {
		return usual, nil
	}
	if *wanted < 1 || *wanted > most {
		return 0, invalid("MaxItems must be from 1 to %d, not %d.", most, *wanted)
	}
	return *wanted, nil
}
