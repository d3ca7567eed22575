package azure

// azureCodes are the codes of Azure Resource Manager and Microsoft Graph.
// https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors
var azureCodes = []meaning{
	{codes: "ExpiredAuthenticationToken InvalidAuthenticationToken", class: R3, reason: "The sign-in has expired.", remedy: "A new one is fetched by itself."},
	{codes: "AuthenticationFailed", reason: "The sign-in or the signed link is not accepted.", remedy: "A new one is fetched by itself; if it stays, run causeway doctor."},
	{codes: "InvalidAuthenticationTokenTenant", reason: "The sign-in is for another tenant than the subscription's.", remedy: "It is asked again with a sign-in of the tenant that Azure names."},
	{codes: "AuthorizationFailed", class: R3, soon: true, reason: "The identity has no right to this in Azure yet.", remedy: "Up to 15 minutes after a change it is asked again by itself; later, look whether the customer removed the partner's access."},
	{codes: "LinkedAuthorizationFailed", class: R3, soon: true, reason: "The identity has no right to a linked resource yet.", remedy: "Up to 15 minutes after a change it is asked again by itself; later, look at the roles of the subscription."},
	{codes: "SubscriptionNotFound", class: R3, soon: true, reason: "Azure does not know this subscription yet.", remedy: "Soon after the creation it is asked again by itself; later, look it up in Partner Center."},
	{codes: "ResourceNotFound NotFound ResourceGroupNotFound RoleAssignmentNotFound PolicyAssignmentNotFound", reason: "Azure does not know this object.", remedy: "It may have been removed; look into the Azure portal."},
	{codes: "MissingSubscriptionRegistration", class: R3, reason: "The resource provider is not registered in this subscription.", remedy: "It is registered by itself."},
	{codes: "RequestDisallowedByPolicy", reason: "A policy forbids it.", remedy: "Ask for the service under Azure services, or choose one that is offered."},
	{codes: "InvalidTemplateDeployment", vague: true, reason: "The deployment would not be allowed.", remedy: "See the details."},
	{codes: "ReadOnlyDisabledSubscription", reason: "The subscription is cancelled: it can only be read.", remedy: "Enable it again; that works for 90 days."},
	{codes: "TooManyRequests SubscriptionRequestsThrottled activityLimitReached", class: R1, reason: "Azure takes no more requests for a while.", remedy: byItself},
	{codes: "UserNotAuthorized BillingAccessDenied InsufficientPermissions", reason: "The partner's user lacks the role on the billing account.", remedy: "Put the user who consented into the group Admin agents in Partner Center; an application alone is not accepted here."},
	{codes: "RoleAssignmentExists", reason: "The role is assigned already.", remedy: "It is read and compared by itself."},
	{codes: "PrincipalNotFound", class: R3, soon: true, reason: "Azure does not know this user, group or application yet.", remedy: "Up to 10 minutes after its creation it is asked again by itself; later, look it up in the customer's directory."},
	{codes: "RoleAssignmentScopeNotAssignableToRoleDefinition", class: R3, soon: true, reason: "The new role is not known everywhere in Azure yet.", remedy: byItself},
	{codes: "RoleAssignmentUpdateNotPermitted", reason: "An assignment of this name exists with other content.", remedy: "It must be deleted and made again; staff decide."},
	{codes: "RoleDefinitionWithSameNameExists", reason: "A role of this name exists with other content.", remedy: "Rename or remove it in the customer's tenant."},
	{codes: "RoleAssignmentLimitExceeded", reason: "The subscription has 4000 role assignments, Azure's limit.", remedy: "Remove some."},
	{codes: "RoleDefinitionDoesNotExist PolicyDefinitionNotFound", class: R3, soon: true, reason: "The role or policy is not known everywhere in Azure yet.", remedy: byItself},
	{codes: "SubscriptionNotRegistered", class: R3, reason: "The subscription is not registered for this resource provider.", remedy: "It is registered by itself."},
	{codes: "SubscriptionCreationPending", class: R3, reason: "The subscription is being created.", remedy: byItself},
	{codes: "AnotherOperationInProgress", class: R3, reason: "Another change is in progress.", remedy: byItself},
	{codes: "PreconditionFailed", class: R4, reason: "Somebody changed it meanwhile.", remedy: readAgain},
	{codes: "InvalidRequestContent BadRequest InvalidParameter", vague: true, reason: "A value is not right.", remedy: fixAndTry},
	{codes: "InternalServerError ServiceUnavailable GatewayTimeout ServerTimeout", class: R2, reason: "Azure has a fault of its own.", remedy: byItself},
	{codes: "DisallowedProvider", reason: "The resource provider is not allowed for this offer.", remedy: "Choose another service."},
	{codes: "SkuNotAvailable", field: "region", reason: "The size is not available in this region.", remedy: "Choose another size or region."},

	// Microsoft Graph.
	{codes: "Authorization_RequestDenied", class: R3, soon: true, reason: "The partner's user has no right to this in the directory yet.", remedy: "Soon after a change it is asked again by itself; later, check the user's roles and the consent."},
	{codes: "Request_ResourceNotFound itemNotFound", class: R3, soon: true, reason: "The directory does not know this object yet.", remedy: "Soon after the creation it is asked again by itself; later, look it up."},
	{codes: "InvalidAuthenticationTokenAudience", reason: "The sign-in is for another service.", remedy: askStaff},
	{codes: "accessDenied", reason: "The partner's user has no right to this.", remedy: askDoctor},
}

// entraCodes are the refusals of the token endpoint.
// https://learn.microsoft.com/entra/identity-platform/reference-error-codes
var entraCodes = []meaning{
	{codes: "AADSTS50076 AADSTS50079", reason: "Entra ID wants MFA, and the partner's sign-in was made without it.", remedy: reconnect},
	{codes: "AADSTS50078", reason: "The MFA of the partner's sign-in has expired.", remedy: reconnect},
	{codes: "AADSTS50158", reason: "The tenant asks for a further check that a service cannot pass.", remedy: "Leave the partner's user out of that rule, then connect the partner again."},
	{codes: "AADSTS50173", reason: "The partner's consent was revoked, most often by a change of the password.", remedy: reconnect},
	{codes: "AADSTS50057", reason: "The user who consented is disabled.", remedy: "Enable the user or connect the partner with another: causeway partner connect."},
	{codes: "AADSTS65001", class: R3, soon: true, reason: "Our application has no consent in this tenant yet.", remedy: "Some minutes after the consent it is asked again by itself; later, look whether the customer removed it."},
	{codes: "AADSTS65004", reason: "The person declined the consent.", remedy: reconnect},
	{codes: "AADSTS700016", class: R3, soon: true, reason: "Our application is not in this tenant yet.", remedy: "Some minutes after the consent it is asked again by itself; later, check the application's id and that it is multi-tenant."},
	{codes: "AADSTS7000112", reason: "The application is disabled in this tenant.", remedy: "Enable it under Enterprise applications."},
	{codes: "AADSTS700082 AADSTS70008", reason: "The partner's sign-in was not used for 90 days and has expired.", remedy: reconnect},
	{codes: "AADSTS70000 AADSTS9002313", reason: "The partner's sign-in is no longer accepted.", remedy: reconnect},
	{codes: "AADSTS700084 AADSTS70043", reason: "The partner's sign-in has reached the end of its life by a rule of the tenant.", remedy: "Leave the user out of the sign-in frequency rule, then connect the partner again."},
	{codes: "AADSTS54005", reason: "The sign-in was used already.", remedy: "Begin the sign-in again."},
	{codes: "AADSTS7000215", reason: "The application's secret is wrong.", remedy: "Enter the secret's value (not its id): causeway partner connect."},
	{codes: "AADSTS7000222", reason: "The application's secret has expired.", remedy: "Make a new one in Entra ID under App registrations, then causeway partner connect."},
	{codes: "AADSTS53003", reason: "A Conditional Access rule stops the sign-in.", remedy: "Leave the partner's user or service providers out of that rule; in a customer's tenant the customer must do it."},
	{codes: "AADSTS530003 AADSTS53000", reason: "A Conditional Access rule wants a managed device.", remedy: "Leave the partner's user out of that rule."},
	{codes: "AADSTS90002", class: R3, soon: true, reason: "Entra ID does not know this tenant yet.", remedy: "Soon after the creation it is asked again by itself; later, check the tenant's id."},
	{codes: "AADSTS50020", class: R3, soon: true, reason: "The partner's user is not known in this tenant yet.", remedy: "After the access assignment it is asked again by itself for some minutes; later, check the GDAP relationship."},
	{codes: "AADSTS50011", reason: "The address for the way back is not registered for the application.", remedy: "Add it in Entra ID under App registrations, Authentication."},
	{codes: "AADSTS500011", reason: "The service's application is not in this tenant.", remedy: "A global administrator must enable it once; for Azure management an Azure subscription must exist."},
	{codes: "AADSTS90033 AADSTS90024 AADSTS90055", class: R2, reason: "Entra ID has a passing fault.", remedy: byItself},
}
