// Package tenant names the owner of everything in Tidings: an account in a region.
package tenant

import "regexp"

// Tenant is an account in one region. Two tenants never see anything of each other.
// The zero value owns nothing.
type Tenant struct {
	Account string // 12 digits, from the access key
	Region  string // from the credential scope of the request's signature
}

// String prints the tenant as account/region.
func (t Tenant) String() string { return t.Account + "/" + t.Region }

// regionForm is what AWS's region names look like ("us-east-1", "us-gov-west-1"), and
// what is legal inside a NATS subject and a file name alike.
var regionForm = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,31}$`)

// IsRegion reports whether s has the form of a region name. Tidings has no list of
// regions: any well-formed name is a region of its own.
func IsRegion(s string) bool { return regionForm.MatchString(s) }
