resource "aws_ses_configuration_set" "plain" {
  name = "plain"
}

resource "aws_ses_configuration_set" "orders" {
  name                       = "orders"
  reputation_metrics_enabled = true
  sending_enabled            = false
  delivery_options {
    tls_policy = "Require"
  }
  tracking_options {
    custom_redirect_domain = "links.example.com"
  }
}

resource "aws_ses_event_destination" "topic" {
  name                   = "topic"
  configuration_set_name = aws_ses_configuration_set.orders.name
  enabled                = true
  matching_types         = ["send", "bounce"]
  sns_destination {
    topic_arn = "arn:aws:sns:us-east-1:123456789012:mails"
  }
}

resource "aws_ses_event_destination" "hose" {
  name                   = "hose"
  configuration_set_name = aws_ses_configuration_set.orders.name
  enabled                = false
  matching_types         = ["send", "reject", "bounce", "complaint", "delivery", "open", "click", "renderingFailure"]
  kinesis_destination {
    stream_arn = "arn:aws:firehose:us-east-1:123456789012:deliverystream/mails"
    role_arn   = "arn:aws:iam::123456789012:role/ses"
  }
}

resource "aws_ses_event_destination" "watch" {
  name                   = "watch"
  configuration_set_name = aws_ses_configuration_set.orders.name
  enabled                = true
  matching_types         = ["delivery"]
  cloudwatch_destination {
    default_value  = "none"
    dimension_name = "campaign"
    value_source   = "messageTag"
  }
  cloudwatch_destination {
    default_value  = "none"
    dimension_name = "X-Kind"
    value_source   = "emailHeader"
  }
}

resource "aws_ses_template" "hello" {
  name    = "hello"
  subject = "Hello {{name}}"
  html    = "<p>Hello {{name}}, {{#if items}}{{#each items}}{{this}}{{/each}}{{/if}}</p>"
  text    = "Hello {{name}}"
}

resource "aws_ses_email_identity" "shop" {
  email = "shop@example.com"
}

resource "aws_ses_domain_identity" "example" {
  domain = "example.com"
}

resource "aws_ses_domain_dkim" "example" {
  domain = aws_ses_domain_identity.example.domain
}

resource "aws_ses_domain_mail_from" "example" {
  domain                 = aws_ses_domain_identity.example.domain
  mail_from_domain       = "bounce.example.com"
  behavior_on_mx_failure = "UseDefaultValue"
}

resource "aws_ses_domain_identity_verification" "example" {
  domain = aws_ses_domain_identity.example.domain
}

resource "aws_ses_identity_notification_topic" "bounces" {
  identity                 = aws_ses_domain_identity.example.domain
  notification_type        = "Bounce"
  topic_arn                = "arn:aws:sns:us-east-1:123456789012:bounces"
  include_original_headers = true
}

resource "aws_ses_identity_policy" "example" {
  identity = aws_ses_domain_identity.example.arn
  name     = "policy"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = ["SES:SendEmail"]
      Resource  = "arn:aws:ses:us-east-1:123456789012:identity/example.com"
      Principal = { AWS = "*" }
    }]
  })
}

output "tokens" {
  value = [aws_ses_domain_identity.example.verification_token, aws_ses_domain_dkim.example.dkim_tokens]
}
