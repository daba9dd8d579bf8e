package email

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"unicode"
	"unicode/utf8"

	"tidings/internal/fault"
	"tidings/internal/mailtemplate"
	"tidings/internal/quota"
	"tidings/internal/tenant"
)

// maxTemplateName is how many characters the name of a template has at most. Source: SES Developer Guide, "Using templates to
// send personalized email with the Amazon SES API".
const maxTemplateName = 64

// CreateTemplate stores a template that is new. It fails with fault.Exists if there is one of the name.
func (s *Service) CreateTemplate(ctx context.Context, t tenant.Tenant, one Template) error {
	acc, err := s.account(t)
	if err != nil {
		return err
	}
	if err := checkTemplate(&one, acc.Limits.Of(quota.TemplateBytes)); err != nil {
		return err
	}
	one.Created, one.Tags = s.now(), maps.Clone(one.Tags)

	lock := s.creation(t)
	lock.Lock()
	defer lock.Unlock()
	if _, ok, err := s.Registry.Template(ctx, t, one.Name); err != nil {
		return fmt.Errorf("look a template up: %w", err)
	} else if ok {
		return templateExists(one.Name)
	}
	if limit := acc.Limits.Of(quota.EmailTemplates); limit > quota.Unlimited {
		count, err := s.Registry.CountTemplates(ctx, t)
		if err != nil {
			return fmt.Errorf("count templates: %w", err)
		}
		if int64(count) >= limit {
			return fault.New(fault.LimitExceeded, fault.EmailTemplate, "An account has at most %d templates.", limit)
		}
	}
	err = s.Registry.PutTemplate(ctx, t, &one, true)
	switch {
	case fault.Is(err, fault.Exists):
		return templateExists(one.Name)
	case err != nil:
		return fmt.Errorf("create template %q: %w", one.Name, err)
	}
	return nil
}

// UpdateTemplate replaces the parts of a template. Its tags, and when it was created, stay as they are.
func (s *Service) UpdateTemplate(ctx context.Context, t tenant.Tenant, one Template) error {
	acc, err := s.account(t)
	if err != nil {
		return err
	}
	if err := checkTemplate(&one, acc.Limits.Of(quota.TemplateBytes)); err != nil {
		return err
	}
	old, err := s.Template(ctx, t, one.Name)
	if err != nil {
		return err
	}
	one.Created, one.Tags = old.Created, old.Tags
	err = s.Registry.PutTemplate(ctx, t, &one, false)
	switch {
	case fault.Is(err, fault.NotFound):
		return noTemplate(one.Name)
	case err != nil:
		return fmt.Errorf("update template %q: %w", one.Name, err)
	}
	return nil
}

// Template returns the template of a name. It may be shared and must not be changed.
func (s *Service) Template(ctx context.Context, t tenant.Tenant, name string) (*Template, error) {
	if !isTemplateName(name) {
		return nil, noTemplate(name)
	}
	found, ok, err := s.Registry.Template(ctx, t, name)
	if err != nil {
		return nil, fmt.Errorf("look a template up: %w", err)
	}
	if !ok {
		return nil, noTemplate(name)
	}
	return found, nil
}

// Templates returns up to limit templates, without their parts, in the order of names, beginning behind after, and whether more follow.
func (s *Service) Templates(ctx context.Context, t tenant.Tenant, after string, limit int) ([]*Template, bool, error) {
	if err := checkPage(limit); err != nil {
		return nil, false, err
	}
	all, more, err := s.Registry.Templates(ctx, t, after, limit)
	if err != nil {
		return nil, false, fmt.Errorf("list templates: %w", err)
	}
	return all, more, nil
}

// DeleteTemplate removes a template, and reports whether there was one.
func (s *Service) DeleteTemplate(ctx context.Context, t tenant.Tenant, name string) (had bool, err error) {
	if !isTemplateName(name) {
		return false, nil // there can be none
	}
	had, err = s.Registry.DeleteTemplate(ctx, t, name)
	if err != nil {
		return false, fmt.Errorf("delete template %q: %w", name, err)
	}
	return had, nil
}

// checkTemplate reports whether a template may be stored.
func checkTemplate(one *Template, limit int64) error {
	if !isTemplateName(one.Name) {
		return invalidTemplate("The name of a template has 1 to %d characters, not %q.", maxTemplateName, clip(one.Name))
	}
	size := int64(len(one.Subject) + len(one.Text) + len(one.HTML))
	switch {
	case size == 0:
		return invalidTemplate("The template %s has neither a subject nor a text nor an HTML part.", one.Name)
	case limit > quota.Unlimited && size > limit:
		return invalidTemplate("The template %s has more than %d bytes.", one.Name, limit)
	case strings.ContainsAny(one.Subject, "\r\n"):
		return invalidTemplate("The subject of the template %s has more than one line.", one.Name)
	}
	for _, part := range []string{one.Subject, one.Text, one.HTML} {
		if !utf8.ValidString(part) {
			return invalidTemplate("The template %s is not UTF-8.", one.Name)
		}
		if err := mailtemplate.Check(part); err != nil {
			return invalidTemplate("The template %s is not valid: %s.", one.Name, err.Error())
		}
	}
	return nil
}

func isTemplateName(name string) bool {
	return name != "" && utf8.RuneCountInString(name) <= maxTemplateName && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}

func invalidTemplate(format string, args ...any) error {
	return fault.New(fault.Invalid, fault.EmailTemplate, format, args...)
}

func templateExists(name string) error {
	return fault.New(fault.Exists, fault.EmailTemplate, "Template %s already exists.", clip(name))
}

// noTemplate is in the words of SES.
func noTemplate(name string) error {
	return fault.New(fault.NotFound, fault.EmailTemplate, "Template %s does not exist.", clip(name))
}
