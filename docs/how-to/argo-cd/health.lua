-- Health of our kinds for Argo CD: what Ready says of this very generation.
local health = {status = "Progressing", message = "the operator has not judged this generation yet"}
for _, condition in ipairs((obj.status or {}).conditions or {}) do
  if condition.type == "Ready" and condition.observedGeneration == obj.metadata.generation then
    local verdict = {True = "Healthy", False = "Degraded"}
    health.status = verdict[condition.status] or "Progressing"
    health.message = condition.reason
    if condition.message and condition.message ~= "" then
      health.message = condition.reason .. ": " .. condition.message
    end
  end
end
return health
