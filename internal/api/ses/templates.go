package ses

import (
	"context"

	"tidings/internal/email"
	"tidings/internal/tenant"
)

const (
	createTemplate     = "CreateTemplate"
	updateTemplate     = "UpdateTemplate"
	listTemplates      = "ListTemplates"
	testRenderTemplate = "TestRenderTemplate"
)

// How many templates a page has. Source: SES API Reference, "ListTemplates".
const (
	usualTemplatesPage = 10
	maxTemplatesPage   = 100
)

func (a *API) createTemplate(ctx context.Context, t tenant.Tenant, in *templateInput) (*empty, error) {
	one, err := in.domain()
	if err != nil {
		return nil, err
	}
	return nil, a.config.Mail.CreateTemplate(ctx, t, one)
}

func (a *API) updateTemplate(ctx context.Context, t tenant.Tenant, in *templateInput) (*empty, error) {
	one, err := in.domain()
	if err != nil {
		return nil, err
	}
	return nil, a.config.Mail.UpdateTemplate(ctx, t, one)
}

func (in *templateInput) domain() (email.Template, error) {
	w := in.Template
	if w == nil {
		return email.Template{}, missing("template")
	}
	if w.TemplateName == "" {
		return email.Template{}, missing("template.templateName")
	}
	return email.Template{Name: w.TemplateName, Subject: w.SubjectPart, Text: w.TextPart, HTML: w.HtmlPart}, nil
}

func (a *API) getTemplate(ctx context.Context, t tenant.Tenant, in *templateNameInput) (*getTemplateOutput, error) {
	if in.TemplateName == "" {
		return nil, missing("templateName")
	}
	one, err := a.config.Mail.Template(ctx, t, in.TemplateName)
	if err != nil {
		return nil, err
	}
	return &getTemplateOutput{Template: template{TemplateName: one.Name, SubjectPart: one.Subject, TextPart: one.Text, HtmlPart: one.HTML}}, nil
}

func (a *API) listTemplates(ctx context.Context, t tenant.Tenant, in *listInput) (*listTemplatesOutput, error) {
	// Source: SES API Reference, "ListTemplates", MaxItems: who wants more than 100 gets 100.
	wanted := in.MaxItems
	if wanted != nil {
		wanted = new(min(*wanted, maxTemplatesPage))
	}
	limit, err := pageSize(wanted, usualTemplatesPage, maxTemplatesPage)
	if err != nil {
		return nil, err
	}
	after, err := a.config.Tokens.After(t, listTemplates, in.NextToken)
	if err != nil {
		return nil, err
	}
	all, more, err := a.config.Mail.Templates(ctx, t, after, limit)
	if err != nil {
		return nil, err
	}
	out := &listTemplatesOutput{TemplatesMetadata: []templateMetadata{}}
	for _, one := range all {
		out.TemplatesMetadata = append(out.TemplatesMetadata, templateMetadata{Name: one.Name, CreatedTimestamp: one.Created})
	}
	if more && len(all) > 0 {
		out.NextToken = a.config.Tokens.Seal(t, listTemplates, all[len(all)-1].Name)
	}
	return out, nil
}

// deleteTemplate also succeeds where there is no such template, as the service itself does.
func (a *API) deleteTemplate(ctx context.Context, t tenant.Tenant, in *templateNameInput) (*empty, error) {
	if in.TemplateName == "" {
		return nil, missing("templateName")
	}
	_, err := a.config.Mail.DeleteTemplate(ctx, t, in.TemplateName)
	return nil, err
}

func (a *API) testRenderTemplate(ctx context.Context, t tenant.Tenant, in *renderInput) (*renderOutput, error) {
	if err := demand(member{"templateName", in.TemplateName != ""}, member{"templateData", in.TemplateData != nil}); err != nil {
		return nil, err
	}
	mime, err := a.config.Mail.Render(ctx, t, in.TemplateName, *in.TemplateData)
	if err != nil {
		return nil, err
	}
	return &renderOutput{RenderedTemplate: mime}, nil
}
