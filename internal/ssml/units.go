package ssml

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// unitNames are units of measurement by their signs, in lower case: for one of them, and for
// more, where that is not simply one "s" longer.
var unitNames = map[string][2]string{
	"mm": {"millimeter", ""}, "cm": {"centimeter", ""}, "m": {"meter", ""}, "km": {"kilometer", ""},
	"in": {"inch", "inches"}, "inch": {"inch", "inches"}, "ft": {"foot", "feet"}, "yd": {"yard", ""}, "mi": {"mile", ""},
	"mg": {"milligram", ""}, "g": {"gram", ""}, "kg": {"kilogram", ""}, "oz": {"ounce", ""}, "lb": {"pound", ""}, "lbs": {"pound", ""},
	"ml": {"milliliter", ""}, "cl": {"centiliter", ""}, "l": {"liter", ""}, "gal": {"gallon", ""}, "qt": {"quart", ""}, "pt": {"pint", ""},
	"ms": {"millisecond", ""}, "s": {"second", ""}, "sec": {"second", ""}, "min": {"minute", ""}, "h": {"hour", ""}, "hr": {"hour", ""}, "hrs": {"hour", ""},
	"km/h": {"kilometer per hour", "kilometers per hour"}, "kph": {"kilometer per hour", "kilometers per hour"},
	"mph": {"mile per hour", "miles per hour"}, "m/s": {"meter per second", "meters per second"},
	"kb": {"kilobyte", ""}, "mb": {"megabyte", ""}, "gb": {"gigabyte", ""}, "tb": {"terabyte", ""},
	"hz": {"hertz", "hertz"}, "khz": {"kilohertz", "kilohertz"}, "mhz": {"megahertz", "megahertz"}, "ghz": {"gigahertz", "gigahertz"},
	"w": {"watt", ""}, "kw": {"kilowatt", ""}, "kwh": {"kilowatt hour", ""}, "v": {"volt", ""}, "a": {"ampere", ""}, "pa": {"pascal", ""},
	"°c": {"degree Celsius", "degrees Celsius"}, "°f": {"degree Fahrenheit", "degrees Fahrenheit"}, "°": {"degree", ""}, "%": {"percent", "percent"},
	"m²": {"square meter", ""}, "m³": {"cubic meter", ""}, "ft²": {"square foot", "square feet"}, "sqft": {"square foot", "square feet"},
}

var unitForm = regexp.MustCompile(`(\d+(?:\s*\+\s*|\s+)\d+/\d+|\d+/\d+|` + number + `)\s*([\p{L}°%²³/]+)`)

// units writes "6ft", "1/2inch" and "2.5 kg" out; a unit alone, such as "kg", as well.
func units(text string) string {
	if name, ok := unitNames[strings.ToLower(strings.TrimSpace(text))]; ok {
		return name[0]
	}
	text = glyphs.Replace(text)
	return unitForm.ReplaceAllStringFunc(text, func(s string) string {
		m := unitForm.FindStringSubmatch(s)
		say := cardinalText
		if strings.Contains(m[1], "/") {
			say = fractions
		}
		name, ok := unitNames[strings.ToLower(m[2])]
		switch {
		case !ok:
			return say(m[1]) + " " + m[2]
		case single(m[1]):
			return say(m[1]) + " " + name[0]
		case name[1] == "":
			return say(m[1]) + " " + name[0] + "s"
		}
		return say(m[1]) + " " + name[1]
	})
}

// single reports whether a number takes the singular: one, or a fraction less than one.
func single(number string) bool {
	return number == "1" || strings.Contains(number, "/") && !strings.ContainsAny(number, "+ \t\n")
}

// streets are the ends of the names of streets, as the post abbreviates them, and the parts of
// a building. Source: Publication 28 of the United States Postal Service, "Postal Addressing
// Standards", appendix C.
var streets = map[string]string{
	"ave": "Avenue", "blvd": "Boulevard", "cir": "Circle", "ct": "Court", "dr": "Drive", "expy": "Expressway",
	"hwy": "Highway", "ln": "Lane", "pkwy": "Parkway", "pl": "Place", "plz": "Plaza", "rd": "Road", "rte": "Route",
	"sq": "Square", "st": "Street", "ter": "Terrace", "apt": "Apartment", "bldg": "Building", "fl": "Floor",
	"ste": "Suite", "mt": "Mount", "ft": "Fort",
	"n": "North", "s": "South", "e": "East", "w": "West",
	"ne": "Northeast", "nw": "Northwest", "se": "Southeast", "sw": "Southwest",
}

// address writes an address out: abbreviations in full, house numbers in pairs, postal codes
// figure by figure.
func address(text string) string {
	given := strings.Fields(text)
	words := slices.Clone(given)
	for i, word := range given {
		bare := strings.TrimRight(word, ".,")
		comma := word[len(bare):]
		comma = strings.ReplaceAll(comma, ".", "")
		switch name := streets[strings.ToLower(bare)]; {
		case saint(given, i):
			words[i] = "Saint"
		case name != "":
			words[i] = name + comma
		case houseNumber.MatchString(bare):
			words[i] = house(bare) + comma
		case postalCode.MatchString(bare):
			words[i] = strings.Join(strings.Split(strings.ReplaceAll(bare, "-", ""), ""), " ") + comma
		}
	}
	return strings.Join(words, " ")
}

var (
	houseNumber = regexp.MustCompile(`^\d{1,4}[A-Za-z]?$`)
	postalCode  = regexp.MustCompile(`^\d{5}(-\d{4})?$`)
)

// saint reports whether "St." begins a name: a word with a capital follows, and no word of a
// street's name stands before it.
func saint(words []string, i int) bool {
	if !strings.EqualFold(strings.TrimRight(words[i], "."), "st") || i+1 == len(words) {
		return false
	}
	next := []rune(words[i+1])[0]
	_, direction := streets[strings.ToLower(strings.TrimRight(words[i+1], ".,"))]
	first := i == 0 || houseNumber.MatchString(words[i-1]) || strings.HasSuffix(words[i-1], ",")
	return first && unicode.IsUpper(next) && !direction
}

// house says "1600" as sixteen hundred and "221B" as two twenty-one B.
func house(s string) string {
	number := strings.TrimRightFunc(s, unicode.IsLetter)
	n, _ := figure(number)
	words := cardinal(n)
	if n >= 100 && n%1000 != 0 {
		words = pairs(int(n))
	}
	if letter := s[len(number):]; letter != "" {
		words += " " + strings.ToUpper(letter)
	}
	return words
}
