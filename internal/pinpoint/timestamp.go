package pinpoint

import "time"

// parseTime reads a date and time of ISO 8601, as RFC 3339 profiles it: the date, a T, hours,
// minutes and seconds, a fraction of any length, and Z or an offset. The offset may also be
// written without its colon or its minutes, and may be missing, which stands for UTC: the
// samples of AWS's guide for Python send none. The result is UTC, in milliseconds.
//
// time.Parse is not used because of the variants, and because it takes five times as long.
// Source: ISO 8601-1, 5.4; RFC 3339, 5.6; Amazon Pinpoint API Reference, "Events", Timestamp.
func parseTime(s string) (t time.Time, ok bool) {
	const least = len("2006-01-02T15:04:05")
	if len(s) < least || s[4] != '-' || s[7] != '-' || s[10]|0x20 != 't' || s[13] != ':' || s[16] != ':' {
		return t, false
	}
	year, ok1 := digits(s[0:4])
	month, ok2 := digits(s[5:7])
	day, ok3 := digits(s[8:10])
	hour, ok4 := digits(s[11:13])
	minute, ok5 := digits(s[14:16])
	second, ok6 := digits(s[17:19])
	if !ok1 || !ok2 || !ok3 || !ok4 || !ok5 || !ok6 || month < 1 || month > 12 || hour > 23 || minute > 59 || second > 59 {
		return t, false
	}
	millis, rest, ok := fraction(s[least:])
	if !ok {
		return t, false
	}
	offset, ok := zone(rest)
	if !ok {
		return t, false
	}
	t = time.Date(year, time.Month(month), day, hour, minute, second, millis*int(time.Millisecond), time.UTC)
	if t.Day() != day || day == 0 { // 31 April is 1 May to time.Date
		return t, false
	}
	return t.Add(-offset), true
}

// fraction reads the fraction of a second, cut to milliseconds, and what follows it.
func fraction(s string) (millis int, rest string, ok bool) {
	if s == "" || s[0] != '.' && s[0] != ',' {
		return 0, s, true
	}
	i, scale := 1, 100
	for ; i < len(s) && s[i] >= '0' && s[i] <= '9'; i++ {
		millis += int(s[i]-'0') * scale
		scale /= 10
	}
	return millis, s[i:], i > 1
}

// zone reads what tells the offset from UTC.
func zone(s string) (offset time.Duration, ok bool) {
	if s == "" || s == "Z" || s == "z" {
		return 0, true
	}
	sign := time.Duration(1)
	switch s[0] {
	case '-':
		sign = -1
	case '+':
	default:
		return 0, false
	}
	s = s[1:]
	if len(s) == len("07:00") && s[2] == ':' {
		s = s[:2] + s[3:]
	}
	minutes := 0
	switch len(s) {
	case len("07"):
	case len("0700"):
		if minutes, ok = digits(s[2:]); !ok {
			return 0, false
		}
	default:
		return 0, false
	}
	hours, ok := digits(s[:2])
	if !ok || hours > 23 || minutes > 59 {
		return 0, false
	}
	return sign * (time.Duration(hours)*time.Hour + time.Duration(minutes)*time.Minute), true
}

// digits reads a number that has digits alone.
func digits(s string) (n int, ok bool) {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return 0, false
		}
		n = n*10 + int(s[i]-'0')
	}
	return n, true
}
