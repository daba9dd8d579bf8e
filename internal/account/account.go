// Package account holds who may call the service: accounts, their access keys and what
// each key allows.
package account

import (
	"context"
	"strings"
	"time"

	"tidings/internal/quota"
	"tidings/internal/tenant"
)

// Account is one customer of this server. Accounts are read from the configuration and
// do not change while the server runs.
type Account struct {
	ID                 string   // 12 digits
	Sandbox            bool     // restricted as AWS restricts a new account
	OriginationNumbers []string // E.164 numbers it may call from; none listed = any
	Limits             quota.Limits
}

// Owns reports whether the account may call from number (E.164, with plus).
func (a *Account) Owns(number string) bool {
	if len(a.OriginationNumbers) == 0 {
		return true
	}
	for _, n := range a.OriginationNumbers {
		if strings.TrimPrefix(n, "+") == strings.TrimPrefix(number, "+") {
			return true
		}
	}
	return false
}

// Key is an access key of an account.
type Key struct {
	ID      string
	Secret  string
	Account *Account
	// SessionToken must come with every request when it is set: the key is a temporary one.
	SessionToken string
	Expires      time.Time // when a temporary key ends; zero = never
	// AnyToken lets requests carry whatever session token they like. Only the built-in
	// test key has it: tools that expect an emulator send made-up tokens.
	AnyToken bool
	Allow    []string // actions, such as "sms-voice:*"; none = all
}

// Allows reports whether the key may be used for action, such as
// "sms-voice:SendVoiceMessage". A pattern may end in a star.
func (k *Key) Allows(action string) bool {
	if len(k.Allow) == 0 {
		return true
	}
	for _, pattern := range k.Allow {
		if prefix, star := strings.CutSuffix(pattern, "*"); pattern == action || star && strings.HasPrefix(action, prefix) {
			return true
		}
	}
	return false
}

// Directory is all accounts and keys of a server. It is safe for concurrent use.
type Directory struct {
	accounts map[string]*Account
	keys     map[string]*Key
}

// NewDirectory files the keys under their IDs and the accounts under theirs. Of two keys
// with one ID the later wins; the configuration refuses such a pair.
func NewDirectory(keys ...*Key) *Directory {
	d := &Directory{accounts: map[string]*Account{}, keys: map[string]*Key{}}
	for _, k := range keys {
		d.keys[k.ID] = k
		d.accounts[k.Account.ID] = k.Account
	}
	return d
}

// Key returns the key with this ID.
func (d *Directory) Key(id string) (*Key, bool) {
	k, ok := d.keys[id]
	return k, ok
}

// Account returns the account with this ID.
func (d *Directory) Account(id string) (*Account, bool) {
	a, ok := d.accounts[id]
	return a, ok
}

// Principal is who signed a request, and for which region.
type Principal struct {
	Key    *Key
	Region string
}

// Tenant is whose resources the principal works on.
func (p Principal) Tenant() tenant.Tenant {
	return tenant.Tenant{Account: p.Key.Account.ID, Region: p.Region}
}

type principalKey struct{}

// NewContext returns a context that carries the principal of a request.
func NewContext(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, principalKey{}, p)
}

// FromContext returns the principal of the request that ctx belongs to.
func FromContext(ctx context.Context) (Principal, bool) {
	p, ok := ctx.Value(principalKey{}).(Principal)
	return p, ok
}
