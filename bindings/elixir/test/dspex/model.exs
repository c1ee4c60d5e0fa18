defmodule DSPex.TestModel do
  # A language model that is a function: it reads which output fields a prompt of DSPy's asks for
  # and asks a rule for the text of each. Owns: the format of the chat adapter. Must not know:
  # tests.

  alias SnakepitBridge.API.Tools

  # Registers the model as tool `model` of the session. The rule gets a map with `:system`, `:last`
  # (the newest message), `:conversation` (all others than the system's) and the name of a field.
  def serve(session, rule, options \\ []) do
    answer = fn request, invocation -> answer(request, invocation, rule) end
    Tools.register!(session, "model", answer, [idempotent: true] ++ options)
  end

  defp answer(%{"messages" => messages} = request, invocation, rule) do
    prompt = prompt(messages)
    text = Enum.map_join(outputs(prompt.system), "\n\n", &field(&1, rule.(prompt, &1)))
    text = text <> "\n\n[[ ## completed ## ]]\n"

    if request["stream"] do
      for piece <- String.split(text, ~r/(?<= )/), do: :ok = Tools.emit(invocation, piece)
    end

    %{content: text, usage: %{prompt_tokens: 9, completion_tokens: 3, total_tokens: 12}}
  end

  defp prompt(messages) do
    {system, others} = Enum.split_with(messages, &(&1["role"] == "system"))

    %{
      system: Enum.map_join(system, "\n", & &1["content"]),
      conversation: Enum.map_join(others, "\n", & &1["content"]),
      last: List.last(messages)["content"]
    }
  end

  defp outputs(system) do
    [_, listed] = String.split(system, "Your output fields are:\n", parts: 2)
    [listed | _] = String.split(listed, "All interactions")
    ~r/^\d+\. `(\w+)`/m |> Regex.scan(listed) |> Enum.map(&List.last/1)
  end

  defp field(name, text), do: "[[ ## #{name} ## ]]\n#{text}"
end
