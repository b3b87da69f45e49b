select tea_id, tea_name, counted_grams
from {{ ref('stg_teas') }}
join {{ ref('stg_stock') }} using (tea_id)
where counted_grams < 5000
