select tea_id, tea_name, coalesce(sum(grams), 0) as grams_sold
from {{ ref('stg_teas') }}
left join {{ ref('orders') }} using (tea_id)
group by tea_id, tea_name
