package emailrest

import (
	"context"

	"tidings/internal/awsapi/restjson"
	"tidings/internal/email"
	"tidings/internal/fault"
	"tidings/internal/tenant"
)

func (a *API) createTemplate(ctx context.Context, t tenant.Tenant, in *createTemplateInput) (*empty, error) {
	if in.TemplateContent == nil {
		return nil, noContent()
	}
	one := in.TemplateContent.stored(in.TemplateName)
	one.Tags = tagMap(in.Tags)
	return nil, a.config.Mail.CreateTemplate(ctx, t, one)
}

func (a *API) updateTemplate(ctx context.Context, t tenant.Tenant, in *updateTemplateInput) (*empty, error) {
	if in.TemplateContent == nil {
		return nil, noContent()
	}
	return nil, a.config.Mail.UpdateTemplate(ctx, t, in.TemplateContent.stored(in.TemplateName))
}

func (a *API) getTemplate(ctx context.Context, t tenant.Tenant, in *templateInput) (*getTemplateOutput, error) {
	one, err := a.config.Mail.Template(ctx, t, in.TemplateName)
	if err != nil {
		return nil, err
	}
	return &getTemplateOutput{
		TemplateName: one.Name, Tags: tagList(one.Tags),
		TemplateContent: storedContent{Subject: one.Subject, Text: one.Text, Html: one.HTML},
	}, nil
}

func (a *API) deleteTemplate(ctx context.Context, t tenant.Tenant, in *templateInput) (*empty, error) {
	had, err := a.config.Mail.DeleteTemplate(ctx, t, in.TemplateName)
	if err == nil && !had {
		return nil, fault.New(fault.NotFound, fault.EmailTemplate, "Template %s does not exist.", fault.Shorten(in.TemplateName))
	}
	return nil, err
}

func (a *API) listTemplates(ctx context.Context, t tenant.Tenant, in *pageInput) (*listTemplatesOutput, error) {
	p, err := a.page(t, listEmailTemplates, in, longestTemplates)
	if err != nil {
		return nil, err
	}
	all, more, err := a.config.Mail.Templates(ctx, t, p.after, p.limit)
	if err != nil {
		return nil, err
	}
	out := &listTemplatesOutput{TemplatesMetadata: []templateMetadata{}}
	for _, one := range all {
		out.TemplatesMetadata = append(out.TemplatesMetadata, templateMetadata{TemplateName: one.Name, CreatedTimestamp: restjson.Time{Time: one.Created}})
	}
	if more && len(all) > 0 {
		out.NextToken = a.config.Tokens.Seal(t, listEmailTemplates, all[len(all)-1].Name)
	}
	return out, nil
}

func (a *API) renderTemplate(ctx context.Context, t tenant.Tenant, in *renderInput) (*renderOutput, error) {
	mime, err := a.config.Mail.Render(ctx, t, in.TemplateName, in.TemplateData)
	if err != nil {
		return nil, err
	}
	return &renderOutput{RenderedTemplate: mime}, nil
}

// stored is the content as a template of that name.
func (w *templateContent) stored(name string) email.Template {
	return email.Template{Name: name, Subject: w.Subject, Text: w.Text, HTML: w.Html}
}

func noContent() error {
	return fault.New(fault.Invalid, fault.EmailTemplate, "TemplateContent is missing.")
}
