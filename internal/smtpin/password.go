package smtpin

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"time"

	"tidings/internal/account"
)

// Password returns the SMTP password of a secret access key for a region. Its user is the access key's ID.
// Source: SES Developer Guide, "Obtaining Amazon SES SMTP credentials", the algorithm that converts existing credentials.
func Password(secret, region string) string {
	sum := []byte("AWS4" + secret)
	for _, part := range []string{"11111111", region, "ses", "aws4_request", "SendRawEmail"} {
		mac := hmac.New(sha256.New, sum)
		mac.Write([]byte(part))
		sum = mac.Sum(nil)
	}
	return base64.StdEncoding.EncodeToString(append([]byte{0x04}, sum...)) // the version of the algorithm
}

// Regions returns the names of the regions that SES has, us-east-1 first: the ones whose passwords are known if the operator names
// no others.
// Source: AWS General Reference, "Amazon Simple Email Service endpoints and quotas".
func Regions() []string {
	return []string{
		"us-east-1", "us-east-2", "us-west-1", "us-west-2",
		"af-south-1",
		"ap-east-1", "ap-northeast-1", "ap-northeast-2", "ap-northeast-3",
		"ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4", "ap-southeast-5",
		"ca-central-1", "ca-west-1",
		"eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2", "eu-west-1", "eu-west-2", "eu-west-3",
		"il-central-1",
		"me-central-1", "me-south-1",
		"sa-east-1",
		"us-gov-east-1", "us-gov-west-1",
	}
}

// keyring knows who may submit.
type keyring struct {
	accounts *account.Directory
	regions  []string
	plain    bool
	now      func() time.Time
}

// open returns who has this user name and password; ok is false if nobody has. An unknown user takes as long as a wrong password.
//
// Keys with a session token do not open anything: SMTP has no place for the token.
// Source: SES Developer Guide, "Obtaining Amazon SES SMTP credentials": temporary credentials cannot be used.
func (k *keyring) open(user, password string) (p account.Principal, ok bool) {
	key, known := k.accounts.Key(user)
	if !known {
		key = &account.Key{}
	}
	region := k.region(key.Secret, password)
	if !known || region == "" || key.SessionToken != "" || !key.Expires.IsZero() && !k.now().Before(key.Expires) {
		return account.Principal{}, false
	}
	return account.Principal{Key: key, Region: region}, true
}

// region returns the region that the password is made for; "" = it is wrong.
func (k *keyring) region(secret, password string) (found string) {
	given := []byte(password)
	for _, region := range k.regions {
		if subtle.ConstantTimeCompare(given, []byte(Password(secret, region))) == 1 && found == "" {
			found = region
		}
	}
	// Hashed, since the comparison tells the length.
	a, b := sha256.Sum256(given), sha256.Sum256([]byte(secret))
	if k.plain && subtle.ConstantTimeCompare(a[:], b[:]) == 1 && found == "" {
		found = k.regions[0]
	}
	return found
}
