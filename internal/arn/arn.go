// Package arn parses and prints Amazon Resource Names.
//
// It knows the form of an ARN and nothing of what any service means by one.
package arn

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MinLength and MaxLength bound an ARN in bytes.
// Source: pinpoint-sms-voice-v2 service model (2022-03-31), TopicArn and its siblings.
const (
	MinLength = 20
	MaxLength = 2048
)

// ARN is a parsed Amazon Resource Name. The zero value is no ARN.
// ARNs are comparable: two are equal when they print alike.
type ARN struct {
	Partition string // "aws", "aws-cn", "aws-us-gov"
	Service   string // "sns", "firehose", "logs"
	Region    string // empty for services without regions, such as IAM
	Account   string // 12 digits, or empty
	Resource  string // all that follows the fifth colon
}

// Parse reads an ARN of the form arn:partition:service:region:account:resource.
// Its error says which part is wrong, in words that may be shown to a client.
func Parse(s string) (ARN, error) {
	if len(s) < MinLength || len(s) > MaxLength {
		return ARN{}, fmt.Errorf("an ARN has %d to %d characters, this one has %d", MinLength, MaxLength, len(s))
	}
	if !utf8.ValidString(s) || strings.ContainsFunc(s, func(r rune) bool { return unicode.IsSpace(r) || unicode.IsControl(r) }) {
		return ARN{}, fmt.Errorf("an ARN holds neither white space nor control characters")
	}
	parts := strings.SplitN(s, ":", 6)
	if len(parts) != 6 || parts[0] != "arn" {
		return ARN{}, fmt.Errorf("an ARN has the form arn:partition:service:region:account:resource")
	}
	a := ARN{Partition: parts[1], Service: parts[2], Region: parts[3], Account: parts[4], Resource: parts[5]}
	switch {
	case a.Partition != "aws" && !strings.HasPrefix(a.Partition, "aws-"):
		return ARN{}, fmt.Errorf("%q is no AWS partition", a.Partition)
	case a.Service == "":
		return ARN{}, fmt.Errorf("the ARN names no service")
	case a.Account != "" && !IsAccount(a.Account):
		return ARN{}, fmt.Errorf("%q is no account: an account has 12 digits", a.Account)
	case a.Resource == "":
		return ARN{}, fmt.Errorf("the ARN names no resource")
	}
	return a, nil
}

// String prints the ARN in the form that Parse reads. The zero ARN prints as "".
func (a ARN) String() string {
	if a == (ARN{}) {
		return ""
	}
	return strings.Join([]string{"arn", a.Partition, a.Service, a.Region, a.Account, a.Resource}, ":")
}

// IsAccount reports whether s has the form of an AWS account ID: 12 digits.
func IsAccount(s string) bool {
	if len(s) != 12 {
		return false
	}
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return true
}
