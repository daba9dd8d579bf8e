resource "aws_pinpoint_app" "shop" {
  name = "shop"
}

resource "aws_sesv2_configuration_set" "plain" {
  configuration_set_name = "plain"
}

resource "aws_sesv2_configuration_set" "orders" {
  configuration_set_name = "orders"
  delivery_options {
    max_delivery_seconds = 600
    tls_policy           = "REQUIRE"
  }
  reputation_options {
    reputation_metrics_enabled = true
  }
  sending_options {
    sending_enabled = false
  }
  suppression_options {
    suppressed_reasons = ["BOUNCE", "COMPLAINT"]
  }
  tracking_options {
    custom_redirect_domain = "links.example.com"
    https_policy           = "REQUIRE"
  }
  vdm_options {
    dashboard_options {
      engagement_metrics = "ENABLED"
    }
    guardian_options {
      optimized_shared_delivery = "ENABLED"
    }
  }
  tags = {
    team = "mail"
  }
}

resource "aws_sesv2_configuration_set_event_destination" "topic" {
  configuration_set_name = aws_sesv2_configuration_set.orders.configuration_set_name
  event_destination_name = "topic"
  event_destination {
    enabled              = true
    matching_event_types = ["SEND", "BOUNCE"]
    sns_destination {
      topic_arn = "arn:aws:sns:us-east-1:123456789012:mails"
    }
  }
}

resource "aws_sesv2_configuration_set_event_destination" "hose" {
  configuration_set_name = aws_sesv2_configuration_set.orders.configuration_set_name
  event_destination_name = "hose"
  event_destination {
    enabled              = false
    matching_event_types = ["SEND", "REJECT", "BOUNCE", "COMPLAINT", "DELIVERY", "OPEN", "CLICK", "RENDERING_FAILURE"]
    kinesis_firehose_destination {
      delivery_stream_arn = "arn:aws:firehose:us-east-1:123456789012:deliverystream/mails"
      iam_role_arn        = "arn:aws:iam::123456789012:role/ses"
    }
  }
}

resource "aws_sesv2_configuration_set_event_destination" "watch" {
  configuration_set_name = aws_sesv2_configuration_set.orders.configuration_set_name
  event_destination_name = "watch"
  event_destination {
    enabled              = true
    matching_event_types = ["DELIVERY"]
    cloud_watch_destination {
      dimension_configuration {
        default_dimension_value = "none"
        dimension_name          = "campaign"
        dimension_value_source  = "MESSAGE_TAG"
      }
      dimension_configuration {
        default_dimension_value = "none"
        dimension_name          = "button"
        dimension_value_source  = "LINK_TAG"
      }
    }
  }
}

resource "aws_sesv2_configuration_set_event_destination" "app" {
  configuration_set_name = aws_sesv2_configuration_set.orders.configuration_set_name
  event_destination_name = "app"
  event_destination {
    enabled              = true
    matching_event_types = ["SEND"]
    pinpoint_destination {
      application_arn = aws_pinpoint_app.shop.arn
    }
  }
}

resource "aws_sesv2_email_identity" "shop" {
  email_identity = "shop@example.org"
}

resource "aws_sesv2_email_identity" "example" {
  email_identity         = "example.com"
  configuration_set_name = aws_sesv2_configuration_set.orders.configuration_set_name
  tags = {
    team = "mail"
  }
}

resource "aws_sesv2_email_identity_feedback_attributes" "example" {
  email_identity           = aws_sesv2_email_identity.example.email_identity
  email_forwarding_enabled = false
}

resource "aws_sesv2_email_identity_mail_from_attributes" "example" {
  email_identity         = aws_sesv2_email_identity.example.email_identity
  behavior_on_mx_failure = "REJECT_MESSAGE"
  mail_from_domain       = "bounce.example.com"
}

resource "aws_sesv2_email_identity_policy" "example" {
  email_identity = aws_sesv2_email_identity.example.email_identity
  policy_name    = "policy"
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = ["ses:SendEmail"]
      Resource  = "arn:aws:ses:us-east-1:123456789012:identity/example.com"
      Principal = { AWS = "*" }
    }]
  })
}

resource "aws_sesv2_account_suppression_attributes" "account" {
  suppressed_reasons = ["BOUNCE"]
}
